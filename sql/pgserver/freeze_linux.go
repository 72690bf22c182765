package pgserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Freeze stops every process of the server where it stands, as a suspended
// machine or a stuck disk does: connections are taken by the kernel, and
// nobody answers. Thaw lets them go on.
func (s *Server) Freeze() error {
	s.frozen = true
	return s.signalAll(syscall.SIGSTOP)
}

// Thaw ends Freeze.
func (s *Server) Thaw() error {
	s.frozen = false
	return s.signalAll(syscall.SIGCONT)
}

// signalAll tells the postmaster first, which then starts no further process.
func (s *Server) signalAll(sig syscall.Signal) error {
	if s.process == nil {
		return errors.New("the server is down")
	}
	if err := s.process.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal postgres: %w", err)
	}
	below, err := childrenOf(s.process.pid)
	if err != nil {
		return err
	}
	for _, pid := range below {
		// One that ended meanwhile has nothing to be told.
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal postgres: process %d: %w", pid, err)
		}
	}
	return nil
}

func childrenOf(parent int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		// PID (NAME) STATE PPID ...; the name may hold anything.
		_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return nil, err
		}
		found = append(found, pid)
	}
	return found, nil
}
