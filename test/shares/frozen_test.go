//go:build linux

package shares

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/test/cluster"
)

// frozen mounts a file system whose server takes requests and never answers: to
// whoever asks it is what a dead NFS server is, down to the kill that does not help.
func frozen(t *testing.T, point string) (end func()) {
	t.Helper()
	return served(t, point, 0)
}

// stale mounts one whose server has forgotten each file that it is asked for, as that
// of an NFS export which was made anew.
func stale(t *testing.T, point string) (end func()) {
	t.Helper()
	return served(t, point, unix.ESTALE)
}

// served mounts a file system that answers everything with one error, or never.
func served(t *testing.T, point string, all unix.Errno) (end func()) {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		if os.Getenv("COTERIE_CI") != "" {
			t.Fatalf("no FUSE here: %v", err)
		}
		t.Skipf("NOT TESTED: no FUSE here: %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other", fd)
	if err := unix.Mount("nas1:/export", point, "fuse.frozen", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		t.Fatalf("mount: %v", err)
	}
	dev := os.NewFile(uintptr(fd), "/dev/fuse") // only now can the runtime wait on it
	go func() {
		for buf := make([]byte, 1<<17); ; {
			n, err := dev.Read(buf)
			if err != nil {
				return
			}
			if n < 16 {
				continue
			}
			if binary.NativeEndian.Uint32(buf[4:]) != 26 { // all but FUSE_INIT
				if all == 0 {
					continue
				}
				refusal := make([]byte, 16)
				binary.NativeEndian.PutUint32(refusal, 16)
				binary.NativeEndian.PutUint32(refusal[4:], uint32(-int32(all)))
				copy(refusal[8:], buf[8:16])
				if _, err := dev.Write(refusal); err != nil && !errors.Is(err, unix.ENOENT) { // nobody waits for it any more
					return
				}
				continue
			}
			reply := make([]byte, 16+64)
			binary.NativeEndian.PutUint32(reply[0:], uint32(len(reply)))
			copy(reply[8:16], buf[8:16]) // the request's number
			binary.NativeEndian.PutUint32(reply[16:], 7)
			binary.NativeEndian.PutUint32(reply[20:], 31)
			binary.NativeEndian.PutUint32(reply[36:], 1<<16) // max_write
			if _, err := dev.Write(reply); err != nil {
				return
			}
		}
	}()
	return func() {
		if err := dev.Close(); err != nil { // the server dies: whoever waits gets an error
			t.Error(err)
		}
		unmount(t, point)
	}
}

// check asks the agent how its segments are.
func check(t *testing.T, n *cluster.Node, socket string) (status int, body string) {
	t.Helper()
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://" + n.Name + "/check")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func threads(t *testing.T, n *cluster.Node) int {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", n.Agent()))
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

var freeze = flag.Duration("freeze", 8*time.Second, "how long a share is to answer nobody")

// The share of a node stops answering for good. The node says so, beats on, holds
// no thread for it, and is well again when the share is.
func TestAFrozenShareDoesNotHangTheAgent(t *testing.T) {
	mounts(t)
	c := cluster.Start(t, cluster.Options{})
	point := filepath.Join(c.Dir, "mnt")
	if err := os.Mkdir(point, 0o755); err != nil {
		t.Fatal(err)
	}
	c.Add("a", cluster.NodeOptions{}).Start()
	c.AwaitReady()
	bind(t, c.Nodes[0].Share(), point)
	t.Cleanup(func() {
		for unix.Unmount(point, unix.MNT_DETACH) == nil { // whatever lies over another
		}
	})
	socket := filepath.Join(c.Dir, "b.sock")
	b := c.Add("b", cluster.NodeOptions{Share: point, Env: []string{"COTERIE_HTTP_SOCKET=" + socket, "COTERIE_APPDATA_WATCH=true"}})
	b.Start()
	c.AwaitReady()
	c.Await(`SELECT count(*) = 2 AND bool_and(owns_pct = 100) FROM coterie.storages`)
	if status, body := check(t, b, socket); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, body)
	}
	before := threads(t, b)

	begun := time.Now()
	end := frozen(t, point)
	c.Await(`SELECT state = 'HUNG' FROM coterie.storages WHERE node = 'b'`)
	named := time.Since(begun)
	status, body := check(t, b, socket)
	checked := time.Since(begun)
	if status != http.StatusInternalServerError || !strings.Contains(body, "HUNG") {
		t.Errorf("/check answers %d %s", status, body)
	}
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.findings WHERE code = 'COT-302' AND subject = 'b'`); n != 1 {
		t.Errorf("%d findings", n)
	}
	t.Logf("in SQL after %v, /check 500 after %v", named.Round(10*time.Millisecond), checked.Round(10*time.Millisecond))
	if named > 3*time.Second || checked > 10*time.Second {
		t.Errorf("it took %v and %v", named, checked)
	}

	// It stays so for a while; heartbeats go on, and no threads come.
	most := time.Duration(0)
	beats := func() int64 { return cluster.Get[int64](c, `SELECT beats FROM coterie.session WHERE node = 'b'`) }
	last, moved := beats(), time.Now()
	for time.Since(begun) < named+*freeze {
		c.Elapse(50 * time.Millisecond)
		if now := beats(); now != last {
			last, moved = now, time.Now()
		}
		most = max(most, time.Since(moved))
	}
	if most > c.Terms.TTL/2 {
		t.Errorf("no heartbeat for %v", most)
	}
	after := threads(t, b)
	t.Logf("longest time without a heartbeat %v, %d threads, %d before", most.Round(10*time.Millisecond), after, before)
	if after > before+3 { // of the runtime's own; a stuck call each second would be eight
		t.Errorf("%d threads, %d before", after, before)
	}
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.events WHERE kind = 'session.ended'`); n != 0 {
		t.Errorf("%d sessions were lost", n)
	}
	if state := cluster.Get[string](c, stateOf, "a"); state != "OK" {
		t.Errorf("a is %s", state)
	}

	begun = time.Now()
	end()
	c.Await(`SELECT bool_and(state = 'OK' AND owns_pct = 100) FROM coterie.storages`)
	t.Logf("well again after %v", time.Since(begun).Round(10*time.Millisecond))
	if status, body := check(t, b, socket); status != http.StatusOK {
		t.Errorf("afterwards: %d %s", status, body)
	}
}
