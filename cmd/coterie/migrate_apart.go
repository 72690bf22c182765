package main

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/appdata/worker"
	"github.com/coterie-ha/coterie/internal/problem"
)

// apartKey says to a process that it is the one that touches the share.
const apartKey = "COTERIE_APART"

// How long nothing may move before somebody looks at the share, and how long that has
// to answer then.
const (
	apartStill   = 10 * time.Second
	apartAnswers = 20 * time.Second
)

// apart has a command that works on a share do so in a process of its own: a call into
// a share that has gone may never return, and a process with one cannot even end.
func (c *cli) apart(cmd *cobra.Command, share func(args []string) string) *cobra.Command {
	inside := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path := share(args)
		if path == "" || os.Getenv(apartKey) != "" || !c.ownStreams() || together() {
			return inside(cmd, args)
		}
		still, answers := apartPatience()
		pool := worker.Pool{Argv: []string{"/proc/self/exe", verbWorker}, Deadline: answers}
		defer pool.Close()
		// A terminal tells both processes of Ctrl-C; elsewhere it is handed on.
		pass := make(chan os.Signal, 2)
		signal.Notify(pass, syscall.SIGTERM)
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			signal.Notify(pass, os.Interrupt)
		}
		defer signal.Stop(pass)
		a := worker.Apart{
			Argv: append([]string{"/proc/self/exe"}, os.Args[1:]...), Env: append(os.Environ(), apartKey+"=3"),
			Out: loose(os.Stdout), Err: loose(os.Stderr), Share: path, Still: still, Pool: &pool, Pass: pass,
		}
		ended, err := a.Run(cmd.Context())
		if errors.Is(err, worker.ErrHung) {
			return problem.New("COT-415", nil, "%s does not answer: %v", path, err)
		}
		if err != nil {
			return err
		}
		return sameEnd(ended)
	}
	return cmd
}

// ownStreams says whether this call talks by the process's own streams, which a
// process of its own can be given.
func (c *cli) ownStreams() bool { return c.in == os.Stdin && c.out == os.Stdout && c.err == os.Stderr }

// loose is a stream that a process which cannot end keeps from nobody: of a terminal
// there is no end to be waited for.
func loose(f *os.File) io.Writer {
	if term.IsTerminal(int(f.Fd())) {
		return f
	}
	return struct{ io.Writer }{f}
}

// sameEnd ends this process as another one has ended: killed if that was, and for
// any other signal by the code that shells give it, since we may listen to it ourselves.
func sameEnd(s *os.ProcessState) error {
	status, ok := s.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return outcome(s.ExitCode())
	}
	if status.Signal() == syscall.SIGKILL {
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return err
		}
		return self.Kill()
	}
	return outcome(128 + int(status.Signal()))
}

// lives shows whoever waits for this process that something moves.
func lives() {
	if os.Getenv(apartKey) == "" {
		return
	}
	_, _ = syscall.Write(3, []byte{1}) // nobody may be there any more
}

// shareOfPlan is the share of a plan file.
func shareOfPlan(args []string) string {
	if len(args) == 0 {
		return ""
	}
	p, err := migrate.ReadPlan(args[0])
	if err != nil {
		return "" // as the command itself will say
	}
	return p.To
}

// shareToVerify is a share, or that of a plan file.
func shareToVerify(args []string) string {
	if len(args) == 1 && !strings.HasSuffix(args[0], ".json") {
		return args[0]
	}
	return shareOfPlan(args)
}
