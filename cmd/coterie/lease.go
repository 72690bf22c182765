package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/jmoiron/sqlx"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/coterie-ha/coterie/coordinator/supervisor"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

// verbSupervisedLease is what lease run calls itself with below its supervisor.
const verbSupervisedLease = "lease-main"

func (c *cli) leaseCommand() *cobra.Command {
	return c.family("lease", "Run a command or put a file in place under a lease", `  coterie lease run nightly -- /usr/local/bin/nightly.sh`,
		c.leaseRun(), c.leasePublish())
}

// leaseWait is how long lease run waits for a lease that another holds.
type leaseWait struct {
	given bool
	limit time.Duration
}

func (w *leaseWait) String() string { return "" }
func (w *leaseWait) Type() string   { return "duration" }
func (w *leaseWait) Set(s string) (err error) {
	w.given = true
	w.limit, err = time.ParseDuration(s)
	return err
}

func (c *cli) leaseRun() *cobra.Command {
	var wait leaseWait
	cmd := &cobra.Command{
		Use:   "run NAME -- COMMAND [ARGUMENT...]",
		Short: "Run a command while holding a lease",
		Long: `Takes the lease, runs the command, and gives the lease back. The command finds
its fencing token in $COTERIE_TOKEN and the lease in $COTERIE_LEASE. It is no
shell: arguments are passed as they are. The command reads this one's stdin, and
writes to its stdout and its stderr.

When the lease is lost (the database was away, this machine was frozen), the
command and all that it started are stopped before another can begin, and the
exit code is 1 with COT-102. Otherwise the exit code is the command's own.`,
		Example: `  coterie lease run nightly -- /usr/local/bin/nightly.sh
  coterie lease run nightly --wait 0s -- ./backup     exit 5 if it is held`,
		Args: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); at != 1 || len(args) < 2 {
				return usageProblem("lease run wants NAME -- COMMAND").hint("", "See: coterie lease run --help")
			}
			return leaseName(args[0])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := c.load(cmd)
			if err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			argv := []string{self, "-c", cfg.File(), verbSupervisedLease}
			if wait.given {
				argv = append(argv, "--wait", wait.limit.String())
			}
			code, err := supervisor.Run(context.WithoutCancel(cmd.Context()), supervisor.Options{
				Agent: append(append(argv, args[0], "--"), args[1:]...), Log: quietLogger(c.err), Input: c.stdin(),
			})
			if err != nil {
				return err
			}
			if code != problem.ExitDone {
				return outcome(code)
			}
			return nil
		},
	}
	cmd.Flags().Var(&wait, "wait", "give up after this `TIME` if another holds it (default: wait)")
	return cmd
}

// leaseName refuses names that are ours or that nobody could read.
func leaseName(name string) error {
	switch {
	case name == "":
		return usageProblem("a lease needs a name")
	case len(name) > 200:
		return usageProblem("the name of a lease has at most 200 bytes, not %d", len(name))
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == '\uFFFD' }):
		return usageProblem("the name %q has characters that cannot be shown", name)
	case strings.Contains(name, "/"):
		return usageProblem("the name %q has a slash: such names are coterie's own (job/NAME, service/NAME)", name)
	}
	return nil
}

func (c *cli) supervisedLeaseCommand() *cobra.Command {
	var wait leaseWait
	cmd := &cobra.Command{
		Use: verbSupervisedLease, Hidden: true,
		Short:   "The command that holds a lease, below its supervisor",
		Example: "  coterie lease run      starts it",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			line, err := supervisor.FromEnv()
			if err != nil {
				return usageProblem("%s is started by: coterie lease run", verbSupervisedLease)
			}
			cfg, err := c.load(cmd)
			if err != nil {
				return err
			}
			db, err := schema.Open(cmd.Context(), c.options(cfg))
			if err != nil {
				return err
			}
			defer db.Close()
			h := &holding{lease: args[0], argv: args[1:], line: line, db: db, cli: c, config: cfg.File(), wait: wait}
			return h.run(cmd.Context())
		},
	}
	cmd.Flags().Var(&wait, "wait", "give up after this `TIME` if another holds it")
	return cmd
}

// holding is one command under one lease: a node of its own, with a session of
// its own, that wants this lease and nothing else.
type holding struct {
	lease  string
	argv   []string
	line   *supervisor.Client
	db     *sqlx.DB
	cli    *cli
	config string
	wait   leaseWait

	decided atomic.Bool // to run the command, or to give up
	begun   bool
	exit    jobs.Exit
	err     error
}

// errDone ends the session of a command that has ended.
var errDone = errors.New("the command has ended")

// errNotFree ends the waiting for a lease.
var errNotFree = errors.New("another holds the lease")

func (h *holding) run(ctx context.Context) error {
	if err := leases.Declare(ctx, h.db, []string{h.lease}); err != nil {
		return err
	}
	node, err := commandNode()
	if err != nil {
		return err
	}
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	s := &leases.Session{DB: h.db, Node: node, Wants: []string{h.lease}}
	s.Began = func(incarnation int64, _ time.Time) { h.said(node, incarnation) }
	s.Ticked = func(t leases.Tick) {
		if t.Err == nil && t.Alive {
			h.line.Extend(supervisor.BootTime()+t.Trust, t.Margin/2)
		}
	}
	s.Hold = func(ctx context.Context, g leases.Grant) {
		if !h.decided.CompareAndSwap(false, true) {
			return // once is what was asked for
		}
		h.begun = true
		h.exit, h.err = h.spawn(ctx, g)
		if cause := context.Cause(ctx); errors.Is(cause, leases.ErrLost) {
			h.err = problem.New("COT-102", nil, "%s", h.lease)
		}
		end(errDone)
	}
	if h.wait.given {
		timer := time.AfterFunc(h.wait.limit, func() { h.giveUp(life, node, end) })
		defer timer.Stop()
	}
	line, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	loops, line := errgroup.WithContext(line)
	loops.Go(func() error { return h.line.Run(line) })
	err = s.Run(life)
	if errors.Is(err, context.Cause(life)) {
		if ferr := h.line.Farewell(line); ferr != nil {
			h.cli.say("the supervisor was not told: %v", ferr)
		}
	}
	hangUp()
	if lerr := loops.Wait(); lerr != nil && !errors.Is(lerr, context.Canceled) {
		return lerr
	}
	if errors.Is(context.Cause(life), errNotFree) {
		err = errNotFree // whatever it was in the middle of
	}
	return h.verdict(ctx, err)
}

// giveUp ends the waiting unless the command runs. A lease that is free is waited
// for until somebody has it: of two that ask at once, one gives up.
func (h *holding) giveUp(ctx context.Context, node string, end context.CancelCauseFunc) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var holder *string
		err := h.db.GetContext(ctx, &holder, `SELECT holder FROM coterie.leases WHERE name = $1`, h.lease)
		switch {
		case err != nil || holder == nil: // asked again
		case *holder == node:
			return
		case h.decided.CompareAndSwap(false, true):
			end(errNotFree)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *holding) verdict(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errNotFree) && !h.begun:
		return problem.New("COT-103", nil, "%s", h.lease)
	case h.begun && h.err != nil:
		return h.err
	case h.begun && h.exit.Code != 0:
		return outcome(h.exit.Code)
	case h.begun:
		return nil
	case ctx.Err() != nil:
		return problem.New("COT-103", nil, "%s: not waited for any longer", h.lease)
	}
	return err
}

// commandPrefix begins the name of the node that a command is.
const commandPrefix = "lease-run."

func commandNode() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("ask for the name of this host: %w", err)
	}
	return commandPrefix + strconv.Itoa(os.Getpid()) + "." + strings.ToLower(rand.Text()[:8]) + "@" + host, nil
}

// said tells the supervisor what to say if this process dies.
func (h *holding) said(node string, incarnation int64) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := h.line.Session(ctx, supervisor.Session{
		Node: node, Incarnation: incarnation,
		Will: []string{"/proc/self/exe", "-c", h.config, "release", "--session", node + "/" + strconv.FormatInt(incarnation, 10)},
	})
	if err != nil {
		h.cli.say("without a last will: %v", err)
	}
}

// stdin is what a command may read, nil for nothing.
func (c *cli) stdin() *os.File {
	f, ok := c.in.(*os.File)
	if !ok {
		return nil
	}
	return f
}

func (h *holding) spawn(ctx context.Context, g leases.Grant) (jobs.Exit, error) {
	env := append(os.Environ(), "COTERIE_LEASE="+g.Lease, "COTERIE_TOKEN="+strconv.FormatInt(int64(g.Token), 10))
	dir, err := os.Getwd()
	if err != nil {
		return jobs.Exit{}, err
	}
	return runTree(ctx, h.line, jobs.Mercy{}, supervisor.Command{
		ID: "lease-" + g.Lease, Argv: h.argv, Dir: dir, Env: env, Input: h.cli.stdin(), Output: h.cli.out, Errors: h.cli.err,
	}, func(err error) { h.cli.say("%v", err) })
}
