//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// served is what one guest keeps while it serves.
type served struct {
	mu        sync.Mutex
	forwarded map[int]bool // guarded by mu
}

// serve runs what the host asks for, until the guest ends.
func serve() error {
	listener, err := net.Listen("tcp", ":7000")
	if err != nil {
		return err
	}
	fmt.Println("rig: serving")
	s := &served{forwarded: map[int]bool{}}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() { // each ends with its connection
			if err := s.answer(conn); err != nil {
				fmt.Println("rig:", err)
			}
			_ = conn.Close() // the host has what it wanted, or has gone
		}()
	}
}

// answer runs one command. When the host goes, the command's process group does.
func (s *served) answer(conn net.Conn) error {
	from := bufio.NewReader(conn)
	line, err := from.ReadBytes('\n')
	if err != nil {
		return nil // somebody looked whether anybody is here
	}
	var c call
	if err := json.Unmarshal(line, &c); err != nil {
		return err
	}
	var mu sync.Mutex
	finish := func(code int, why string) error {
		if why != "" {
			if _, err := fmt.Fprintln(frames{&mu, conn, frameErr}, why); err != nil {
				return err
			}
		}
		_, err := fmt.Fprint(frames{&mu, conn, frameExit}, code)
		return err
	}
	if err := s.prepare(c); err != nil {
		return finish(125, err.Error())
	}
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = frames{&mu, conn, frameOut}, frames{&mu, conn, frameErr}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return finish(125, err.Error())
	}
	go func() {
		_, _ = io.Copy(io.Discard, from)                    // ends when the host goes, or hangs up below
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may be gone
	}()
	err = cmd.Wait()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return finish(e.ExitCode(), "")
	}
	if err != nil {
		return finish(125, err.Error())
	}
	return finish(0, "")
}

func (s *served) prepare(c call) error {
	for name, text := range c.Files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, port := range c.Forward {
		if s.forwarded[port] {
			continue
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		s.forwarded[port] = true
		go forward(listener, fmt.Sprintf("10.0.2.2:%d", port))
	}
	return nil
}

// forward leads connections to the host, for as long as the guest lives.
func forward(listener net.Listener, to string) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer near.Close()
			far, err := net.Dial("tcp", to)
			if err != nil {
				return // the host refuses: so does this end
			}
			defer far.Close()
			var both sync.WaitGroup
			for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
				both.Go(func() {
					_, _ = io.Copy(pair[0], pair[1]) // a torn connection is torn at both ends
					_ = pair[0].(*net.TCPConn).CloseWrite()
				})
			}
			both.Wait()
		}()
	}
}
