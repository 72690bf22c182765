package demo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
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
	// A child that the demo was just starting may hold the lock for a moment.
	for begun := time.Now(); ; <-time.After(20 * time.Millisecond) {
		if err := sweep(dir); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(dir, lockName)); err != nil || time.Since(begun) > clearFor {
			return nil // cleared, or another demo's by now
		}
	}
}

// clear ends what is left of a demo and removes its folder. Somebody must hold
// the folder's lock.
func clear(dir string) error { return errors.Join(endAll(dir), empty(dir)) }

// endAll ends all processes of a demo.
func endAll(dir string) error {
	for begun := time.Now(); ; <-time.After(5 * time.Millisecond) {
		left, err := marked(dir)
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Since(begun) > clearFor {
			return fmt.Errorf("%d processes of the demo in %s do not end", len(left), dir)
		}
		if err := endProcesses(left, time.Since(begun) > clearFor/2); err != nil {
			return err
		}
	}
}

// serverMark is the node in the mark of PostgreSQL's processes.
const serverMark = "postgresql"

// endProcesses kills processes: first none may go on, so that none starts
// another. PostgreSQL is asked, at first, because it has shared memory to give back.
func endProcesses(all []process, impatient bool) error {
	var kill, errs = []process{}, []error{}
	for _, p := range all {
		if p.node == serverMark && !impatient {
			errs = append(errs, signalTo(p.pid, syscall.SIGQUIT))
			continue
		}
		kill = append(kill, p)
	}
	for _, s := range []syscall.Signal{sigStop, syscall.SIGKILL} {
		for _, p := range kill {
			errs = append(errs, signalTo(p.pid, s))
		}
	}
	return errors.Join(errs...)
}
