package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// etcd is a private server of one member.
type etcd struct {
	url     string
	version string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it has been reaped
}

func startEtcd(ctx context.Context, program, dir string) (*etcd, error) {
	if program == "" {
		program = "etcd"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	client, err := freePort()
	if err != nil {
		return nil, err
	}
	peer, err := freePort()
	if err != nil {
		return nil, err
	}
	e := &etcd{url: "http://127.0.0.1:" + strconv.Itoa(client), ended: make(chan struct{})}
	peers := "http://127.0.0.1:" + strconv.Itoa(peer)
	e.cmd = exec.Command(path, "--name", "bench", "--data-dir", filepath.Join(dir, "etcd"),
		"--listen-client-urls", e.url, "--advertise-client-urls", e.url,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "bench="+peers)
	log, err := os.Create(filepath.Join(dir, "etcd.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	e.cmd.Stdout, e.cmd.Stderr = log, log
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithUs(e.cmd.SysProcAttr)
	if err := e.start(); err != nil {
		return nil, err
	}
	return e, e.ready(ctx)
}

// start keeps the thread that started the server: its end would end the server.
func (e *etcd) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := e.cmd.Start()
		started <- err
		if err == nil {
			e.cmd.Wait() // how it ended is of no interest
		}
		close(e.ended)
	}()
	return <-started
}

func (e *etcd) ready(ctx context.Context) error {
	c, err := e.client(nil)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		try, cancel := context.WithTimeout(ctx, time.Second)
		status, err := c.Status(try, e.url)
		cancel()
		if err == nil && status.Leader != 0 {
			e.version = status.Version
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("etcd is not ready: %w", err)
		case <-e.ended:
			return fmt.Errorf("etcd ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (e *etcd) stop() error {
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := e.cmd.Process.Signal(how); err != nil {
			return nil // it has ended
		}
		select {
		case <-e.ended:
			return nil
		case <-time.After(5 * time.Second):
		}
	}
	return fmt.Errorf("etcd (process %d) does not end", e.cmd.Process.Pid)
}

// client connects over a line, or directly when there is none.
func (e *etcd) client(over *line) (*clientv3.Client, error) {
	cfg := clientv3.Config{Endpoints: []string{e.url}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()}
	if over != nil {
		cfg.DialOptions = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return over.dial(ctx, "tcp", address)
		})}
	}
	return clientv3.New(cfg)
}
