package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coterie-ha/coterie/coordinator/supervisor"
	"github.com/coterie-ha/coterie/jobs"
)

// stopGrace is how long a program has between TERM and KILL when its run must end,
// unless its job gives it longer. It is all it has when the lease is lost.
const stopGrace = time.Second / 2

// spawn runs a job's program below the supervisor.
func (a *agent) spawn(ctx context.Context, c jobs.Command) (jobs.Exit, error) {
	program, err := openChecked(c.Argv[0], c.SHA256)
	if err != nil {
		return jobs.Exit{}, err
	}
	if program != nil {
		defer program.Close()
	}
	return runTree(ctx, a.supervisor, c.Mercy, supervisor.Command{
		ID: c.ID, Argv: c.Argv, Dir: c.Dir, User: c.User, Env: a.withSocket(c.Env), Output: c.Output, Progress: c.Progress,
		Limits: supervisor.Limits(c.Limits), Program: program, Outlasts: c.Mercy.Outlasts,
	}, func(err error) { a.log.Error("run", "run", c.ID, "err", err) })
}

// withSocket tells a program where it can speak with this agent.
func (a *agent) withSocket(env []string) []string {
	if a.cfg.HTTP.Socket == "" {
		return env
	}
	return append(slices.Clone(env), "COTERIE_SOCKET="+a.cfg.HTTP.Socket)
}

// openChecked opens a program that must have a digest. What is run is the file
// that was read, whatever has the name by then.
func openChecked(path, digest string) (*os.File, error) {
	if digest == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("check the program: %w", err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, errors.Join(fmt.Errorf("check the program: %w", err), f.Close())
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, digest) {
		return nil, errors.Join(fmt.Errorf("refused: the program %s is another: its sha256 is %s", path, got), f.Close())
	}
	return f, nil
}

// runTree runs a program as a tree of its own. When ctx ends the tree is asked
// to stop, and killed after a grace; runTree returns when nothing of it is left.
func runTree(ctx context.Context, line *supervisor.Client, m jobs.Mercy, c supervisor.Command, trouble func(error)) (jobs.Exit, error) {
	p, err := line.Start(ctx, c)
	if err != nil {
		return jobs.Exit{}, err
	}
	ended := make(chan struct{})
	var stopping sync.WaitGroup
	stopping.Go(func() { stopWith(ctx, p, m, ended, trouble) })
	defer stopping.Wait()
	defer close(ended)
	exit, err := outlast(ctx, p.Wait, trouble)
	if err != nil {
		return jobs.Exit{}, fmt.Errorf("run %s: %w", c.ID, err)
	}
	return exit, nil
}

// outlast waits until nothing of a tree is left. What does not die although it was
// killed lives on, and so does its run; but of a supervisor that is lost nobody
// will ever learn more.
func outlast(ctx context.Context, wait func(context.Context) (supervisor.Exit, error), trouble func(error)) (jobs.Exit, error) {
	for {
		// Stopping what runs must outlive the authority to run it.
		exit, err := wait(context.WithoutCancel(ctx))
		_, stuck := errors.AsType[*supervisor.StuckError](err)
		lost := errors.Is(err, supervisor.ErrGone) || errors.Is(err, supervisor.ErrSilent)
		switch {
		case err == nil:
			return exitOf(exit), nil
		case !stuck || lost:
			return jobs.Exit{}, err
		}
		trouble(err)
		if err := pause(context.WithoutCancel(ctx), time.Second); err != nil {
			return jobs.Exit{}, err
		}
	}
}

// stopWith ends a program when ctx ends, unless it has ended before.
func stopWith(ctx context.Context, p *supervisor.Process, m jobs.Mercy, ended <-chan struct{}, trouble func(error)) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		trouble(err)
	}
	timer := time.NewTimer(max(m.Grace, stopGrace))
	defer timer.Stop()
	for lost := m.Lost; ; {
		select {
		case <-ended:
			return
		case <-lost: // others may begin soon
			lost = nil
			timer.Reset(stopGrace)
		case <-timer.C:
			if err := p.Signal(syscall.SIGKILL); err != nil {
				trouble(err)
			}
			return
		}
	}
}

func exitOf(e supervisor.Exit) jobs.Exit {
	exit := jobs.Exit{Code: e.Code}
	if e.Signal != 0 {
		exit.Signal = e.Signal.String()
	}
	return exit
}

// will is what the supervisor says when this process is dead: it ends exactly
// this session.
func (a *agent) will(incarnation int64) []string {
	return []string{"/proc/self/exe", "-c", a.cfg.File(), "release",
		"--session", a.cfg.Node.Name + "/" + strconv.FormatInt(incarnation, 10)}
}
