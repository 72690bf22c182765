//go:build linux

package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/pgserver"
)

// Guest is a machine of its own, as far as its kernel can tell: an emulator's process.
type Guest struct {
	Name string

	rig     *Rig
	cmd     *exec.Cmd
	begun   time.Time
	ended   chan struct{}
	address string // where its tool listens
	nfs     int    // port of this machine that leads to its NFS server
	console string
}

// GuestOptions are what differs between guests.
type GuestOptions struct {
	Disk bool // with a disk of 256 MB: a server
}

// bootWithin is generous: emulated processors share real ones with others.
const (
	bootWithin = 10 * time.Minute
	patience   = 4 * time.Minute // figures say how long it took
)

// Start starts a guest, which ends with the test. Await it before its first use:
// several boot at once.
func (r *Rig) Start(t testing.TB, name string, o GuestOptions) *Guest {
	t.Helper()
	g := &Guest{Name: name, rig: r, ended: make(chan struct{}), console: filepath.Join(r.dir, name+".console")}
	ports := freePorts(t, 2)
	g.address, g.nfs = fmt.Sprintf("127.0.0.1:%d", ports[0]), ports[1]
	args := []string{
		"-machine", "q35,accel=tcg", "-cpu", "Nehalem", "-smp", "1", "-m", "320", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-serial", "file:" + g.console, "-kernel", r.kernel, "-initrd", r.initramfs,
		"-append", "console=ttyS0 quiet panic=-1 mitigations=off rig.host=" + name,
		"-netdev", fmt.Sprintf("user,id=n0,hostfwd=tcp:%s-:7000,hostfwd=tcp:127.0.0.1:%d-:2049", g.address, g.nfs),
		"-device", "virtio-net-pci,netdev=n0,romfile=",
	}
	if o.Disk {
		disk := filepath.Join(r.dir, name+".disk")
		makeDisk(t, disk)
		args = append(args, "-drive", "file="+disk+",format=raw,if=virtio,cache=unsafe")
	}
	g.begun = time.Now()
	g.start(t, args)
	return g
}

// Await waits until the guest answers.
func (g *Guest) Await(t testing.TB) *Guest {
	t.Helper()
	for {
		asking, cancel := context.WithTimeout(t.Context(), time.Second)
		out, err := g.try(asking, "rig", "do", "now")
		cancel()
		if err == nil && out != "" {
			t.Logf("guest %s answers after %v", g.Name, time.Since(g.begun).Round(100*time.Millisecond))
			return g
		}
		select {
		case <-g.ended:
			t.Fatalf("guest %s ended:\n%s", g.Name, g.Console())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Since(g.begun) > bootWithin {
			t.Fatalf("guest %s does not answer:\n%s", g.Name, g.Console())
		}
	}
}

// start starts the emulator. It does not outlive this process.
func (g *Guest) start(t testing.TB, args []string) {
	t.Helper()
	g.cmd = exec.CommandContext(context.Background(), emulator, args...)
	var said bytes.Buffer
	g.cmd.Stdout, g.cmd.Stderr = &said, &said
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the parent-death signal comes when this thread ends
		err := g.cmd.Start()
		started <- err
		if err == nil {
			_ = g.cmd.Wait() // killed
		}
		close(g.ended)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = g.cmd.Process.Kill() // it may have ended by itself
		<-g.ended
		if t.Failed() {
			t.Logf("console of %s:\n%s\n%s", g.Name, g.Console(), said.String())
		}
	})
}

// Console is what the guest's kernel and first process said.
func (g *Guest) Console() string {
	text, err := os.ReadFile(g.console)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Inside is what to put before a command so that it runs in the guest.
func (g *Guest) Inside() []string { return []string{g.rig.Tool, "in", g.address} }

func (g *Guest) try(ctx context.Context, argv ...string) (string, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	argv = append(g.Inside(), argv...)
	out, err := exec.CommandContext(within, argv[0], argv[1:]...).CombinedOutput()
	return string(out), err
}

// Freeze stops the guest, as a host is that is suspended or a server that hangs:
// its connections stand, and nobody answers.
func (g *Guest) Freeze(t testing.TB) { g.signal(t, syscall.SIGSTOP) }

// Thaw lets it go on.
func (g *Guest) Thaw(t testing.TB) { g.signal(t, syscall.SIGCONT) }

func (g *Guest) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		t.Fatalf("guest %s: %v", g.Name, err)
	}
}

// makeDisk makes an empty ext4: what tells two changes of one moment apart.
func makeDisk(t testing.TB, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(256<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mkfs.ext4", "-q", "-F", file).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v\n%s", err, out)
	}
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports, err := pgserver.FreePorts(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

// lines splits what a command printed.
func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }
