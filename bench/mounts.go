package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Network file systems of user space, mounted here from here. Each is moved to as an
// installation is; what a round trip costs is shown by one that takes a millisecond.

func moveSSHFS(ctx context.Context, l *lab) ([]row, error) {
	to := place{name: "sshfs", mount: sshfs(0), rounds: 3, mixed: 1000, small: 1000}
	if l.long {
		to.mixed, to.small = 20_000, 200_000
		to.rounds = 1
	}
	return l.moved(ctx, to)
}

func moveFar(ctx context.Context, l *lab) ([]row, error) {
	to := place{name: "sshfs over a round trip of 1 ms", mount: sshfs(time.Millisecond), rounds: 2, small: 1000, far: time.Millisecond}
	if l.long {
		to.small, to.rounds = 4000, 3
	}
	return l.moved(ctx, to)
}

func moveGluster(ctx context.Context, l *lab) ([]row, error) {
	to := place{name: "GlusterFS", mount: gluster, rounds: 3, mixed: 1000, small: 1000}
	if l.long {
		to.mixed, to.small, to.rounds = 20_000, 200_000, 1
	}
	return l.moved(ctx, to)
}

const sftpServer = "/usr/lib/openssh/sftp-server"

// sshfs mounts a folder by sshfs, with the bench itself in the place of ssh: what is
// moved is SFTP without the encryption around it.
func sshfs(trip time.Duration) func(context.Context, *lab, string) (func() error, error) {
	return func(ctx context.Context, l *lab, at string) (func() error, error) {
		own, err := os.Executable()
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(sftpServer); err != nil {
			return nil, err
		}
		export := filepath.Join(l.dir, "export")
		if err := os.Mkdir(export, 0o755); err != nil {
			return nil, err
		}
		unmount, err := mounted(ctx, at, "sshfs", "-f", "-o", fmt.Sprintf("ssh_command=%s -sftp %v --", own, trip), "host:"+export, at)
		if err != nil {
			return nil, err
		}
		return func() error { return errors.Join(unmount(), os.RemoveAll(export)) }, nil
	}
}

// sftp stands in for ssh: whatever sshfs asks it to reach, the server is here, and half
// a round trip away.
func sftp(trip time.Duration) error {
	server := exec.Command(sftpServer)
	server.SysProcAttr = &syscall.SysProcAttr{}
	dieWithUs(server.SysProcAttr)
	server.Stderr = os.Stderr
	if trip == 0 {
		server.Stdin, server.Stdout = os.Stdin, os.Stdout
		return server.Run()
	}
	in, err := server.StdinPipe()
	if err != nil {
		return err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	there := make(chan error, 1)
	go func() {
		there <- errors.Join(late(in, os.Stdin, trip/2), in.Close())
	}()
	err = late(os.Stdout, out, trip/2)
	return errors.Join(err, server.Wait())
}

// late passes on what it reads after a while; meanwhile it goes on reading.
func late(to io.Writer, from io.Reader, by time.Duration) error {
	type parcel struct {
		text []byte
		size int
		due  time.Time
	}
	const most = 1 << 10 // parcels on their way
	way, used, read := make(chan parcel, most), make(chan []byte, most+2), make(chan error, 1)
	go func() {
		defer close(way)
		for {
			var buf []byte
			select {
			case buf = <-used:
			default:
				buf = make([]byte, 32<<10)
			}
			n, err := from.Read(buf)
			if n > 0 {
				way <- parcel{buf, n, time.Now().Add(by)}
			}
			if err != nil {
				read <- err
				return
			}
		}
	}()
	wake := time.NewTimer(by)
	for p := range way {
		if left := time.Until(p.due); left > 0 {
			wake.Reset(left)
			<-wake.C
		}
		if _, err := to.Write(p.text[:p.size]); err != nil {
			return err
		}
		select {
		case used <- p.text:
		default:
		}
	}
	if err := <-read; !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

const brickText = `volume posix
 type storage/posix
 option directory %s
end-volume
volume locks
 type features/locks
 subvolumes posix
end-volume
volume brick
 type performance/io-threads
 subvolumes locks
end-volume
volume server
 type protocol/server
 option transport-type tcp
 option transport.socket.bind-address 127.0.0.1
 option transport.socket.listen-port %d
 option auth.addr.brick.allow 127.0.0.1
 subvolumes brick
end-volume
`

const clientText = `volume client
 type protocol/client
 option transport-type tcp
 option remote-host 127.0.0.1
 option remote-port %d
 option remote-subvolume brick
end-volume
volume writes
 type performance/write-behind
 subvolumes client
end-volume
volume attributes
 type performance/md-cache
 subvolumes writes
end-volume
`

// gluster mounts a brick by volume files: no daemon manages it.
func gluster(ctx context.Context, l *lab, at string) (func() error, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	own := filepath.Join(l.dir, "gluster")
	brick, server, client := filepath.Join(own, "brick"), filepath.Join(own, "server.vol"), filepath.Join(own, "client.vol")
	err = errors.Join(os.MkdirAll(brick, 0o755),
		os.WriteFile(server, fmt.Appendf(nil, brickText, brick, port), 0o600), os.WriteFile(client, fmt.Appendf(nil, clientText, port), 0o600))
	if err != nil {
		return nil, err
	}
	end, err := began(ctx, "glusterfsd", "--no-daemon", "-f", server, "--log-file", filepath.Join(own, "server.log"))
	if err != nil {
		return nil, err
	}
	if err := until(ctx, func() bool { return listens(port) }); err != nil {
		return nil, errors.Join(err, end())
	}
	unmount, err := mounted(ctx, at, "glusterfs", "--no-daemon", "-f", client, "--log-file", filepath.Join(own, "client.log"), at)
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return func() error { return errors.Join(unmount(), end(), os.RemoveAll(own)) }, nil
}

// mounted starts the process of a file system, and ends it.
func mounted(ctx context.Context, at string, argv ...string) (unmount func() error, err error) {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return nil, err
	}
	end, err := began(ctx, argv...)
	if err != nil {
		return nil, err
	}
	unmount = func() error {
		out, err := exec.Command("umount", at).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("umount %s: %w\n%s", at, err, out)
		}
		return errors.Join(err, end(), os.Remove(at))
	}
	err = until(ctx, func() bool {
		text, err := os.ReadFile("/proc/self/mountinfo")
		return err == nil && strings.Contains(string(text), " "+at+" ")
	})
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return unmount, nil
}

// began starts a program that stays, and gives what ends it.
func began(ctx context.Context, argv ...string) (end func() error, err error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	dieWithUs(cmd.SysProcAttr)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() error {
		_ = cmd.Process.Kill() // it may have ended with its mount
		_ = cmd.Wait()
		if text := said.String(); strings.Contains(text, "error") {
			return fmt.Errorf("%s: %s", argv[0], text)
		}
		return nil
	}, nil
}

// until asks until something is so, for ten seconds.
func until(ctx context.Context, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C:
		}
	}
	return nil
}

func listens(port int) bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	return err == nil && c.Close() == nil
}
