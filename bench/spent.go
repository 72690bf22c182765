package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"
	"time"
)

// spent is what a run of a program took, with all that it started and waited for.
type spent struct {
	took   time.Duration
	busy   time.Duration // of processors
	memory int64         // bytes, at most, of its largest process
}

// costed runs a program. Codes are those that it ends with, besides 0, when all is well.
func costed(cmd *exec.Cmd, codes ...int) (spent, []byte, error) {
	// The system counts what this program has at the start of another to that one: so
	// this one gives back what it does not need, and has what it had at most forgotten.
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return spent{}, nil, err
	}
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	c := spent{took: time.Since(begun)}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && slices.Contains(codes, exit.ExitCode()) {
		err = nil
	}
	if err != nil {
		return c, out, fmt.Errorf("%q: %w\n%s", cmd.Args, err, out)
	}
	c.busy = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.memory = usage.Maxrss << 10
	}
	return c, out, nil
}

// costs are those of one program, round by round.
type costs struct {
	took, busy sample
	memory     int64
}

func (c *costs) add(one spent) {
	c.took, c.busy, c.memory = append(c.took, one.took), append(c.busy, one.busy), max(c.memory, one.memory)
}

// few tells all of it.
func (c *costs) few() string {
	if c == nil || len(c.took) == 0 {
		return ""
	}
	return fmt.Sprintf("%s; processors %s; %d MiB", c.took.few(), short(c.busy.at(.5)), c.memory>>20)
}

// lean is the row of how much memory ours had at most.
func (c *costs) lean() row {
	return row{figure: "memory at most, meanwhile", ours: fmt.Sprintf("%d MiB", c.memory>>20), limit: "64 MiB", met: judge(c.memory <= 64<<20)}
}

// program builds coterie as it is shipped.
func (l *lab) program(ctx context.Context) (string, error) {
	program := filepath.Join(l.dir, "coterie")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/coterie")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0") // the bench is started in its own folder
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return program, nil
}

// warm reads all files below the folders, as each program is to find them: rclone, for
// one, has the system forget what it has read, and whoever came next would pay.
func warm(roots ...string) error {
	buf := make([]byte, 1<<20)
	for _, root := range roots {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			_, err = io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{f}, buf)
			return errors.Join(err, f.Close())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// These two have nothing but what io.CopyBuffer is to use.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)
