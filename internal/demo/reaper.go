package demo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// clearFor bounds how long a dead demo's processes are hunted.
const clearFor = 10 * time.Second

// reaper is the process that cleans up after the demo when the demo cannot.
type reaper struct {
	cmd   *exec.Cmd
	leash io.WriteCloser
}

func startReaper(program, dir string) (*reaper, error) {
	cmd := exec.Command(program, "demo", "reap", dir)
	cmd.Dir = "/"
	ownSession(cmd)
	leash, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the reaper: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the reaper: %w", err)
	}
	return &reaper{cmd: cmd, leash: leash}, nil
}

// dismiss tells the reaper that nothing is left to do.
func (r *reaper) dismiss() error {
	if _, err := io.WriteString(r.leash, "done\n"); err != nil {
		return fmt.Errorf("dismiss the reaper: %w", err)
	}
	return r.cmd.Wait()
}

// Reap is what the reaper does: it waits until its input ends, which happens when
// the demo is gone, however it went. A line means that all is in order already.
func Reap(leash io.Reader, dir string) error {
	if !supported {
		return ErrUnsupported
	}
	signal.Ignore(deafen()...)
	if _, err := bufio.NewReader(leash).ReadString('\n'); err == nil {
		return nil
	}
	return sweep(dir)
}

// clear kills what is left of a dead demo and removes its folder.
func clear(dir string) error {
	begun := time.Now()
	for {
		left, err := killMarked(dir)
		if err != nil {
			return err
		}
		if postmaster, err := killPostmaster(dir, time.Since(begun) > time.Second); err != nil {
			return err
		} else if postmaster {
			left++
		}
		if left == 0 {
			err = empty(dir)
		}
		switch {
		case left == 0 && err == nil:
			return nil
		case time.Since(begun) > clearFor:
			return errors.Join(fmt.Errorf("clear %s: %d processes left", dir, left), err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// killMarked kills all processes of a demo: first none may go on, so that none
// starts another.
func killMarked(dir string) (int, error) {
	found, err := marked(dir)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, s := range []syscall.Signal{sigStop, syscall.SIGKILL} {
		for _, p := range found {
			errs = append(errs, signalTo(p.pid, s))
		}
	}
	return len(found), errors.Join(errs...)
}

// killPostmaster ends the server of a dead demo, which the kernel has told to
// quit already, and tells whether it is still there.
func killPostmaster(dir string, impatient bool) (bool, error) {
	text, err := os.ReadFile(filepath.Join(dir, "pg", "data", "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil || !isPostmaster(pid, dir) {
		return false, nil // half written, or of a process that has gone
	}
	if impatient {
		return true, signalTo(pid, syscall.SIGQUIT)
	}
	return true, nil
}

// isPostmaster tells whether a process is the server of that folder: its number
// may be another's by now.
func isPostmaster(pid int, dir string) bool {
	argv, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err == nil && bytes.Contains(argv, []byte(filepath.Join(dir, "pg", "data")))
}
