package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/coterie-ha/coterie/coordinator/supervisor"
	"github.com/coterie-ha/coterie/internal/problem"
)

func main() {
	supervisor.Stage() // this very process may be the step between a fork and a job's program
	// The first signal ends the waiting; a second one ends the program.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	c := &cli{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	code := c.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// cli is one call of the program: its streams, and the flags that all verbs share.
type cli struct {
	in       io.Reader
	out, err io.Writer
	flags    globals
}

// outcome is an exit code that is the answer, and not a problem: everything has
// been said already.
type outcome int

func (o outcome) Error() string { return fmt.Sprintf("exit code %d", int(o)) }

// run executes one command line and returns the exit code.
func (c *cli) run(ctx context.Context, args []string) int {
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return problem.ExitDone
	}
	if o, ok := errors.AsType[outcome](err); ok {
		return int(o)
	}
	p := asProblem(err)
	c.tell(p)
	return p.Exit
}

// tell prints a problem: as one line for a slip of the fingers, as a document
// for programs, else with its remedy.
func (c *cli) tell(p *problem.Problem) {
	switch {
	case c.flags.machine():
		doc := problemDocument(p)
		if err := doc.Write(c.err, c.flags.format()); err != nil {
			fmt.Fprintln(c.err, p.Text())
		}
	case p.Code == "COT-212":
		fmt.Fprintf(c.err, "coterie: %s (%s)\n", strings.TrimSuffix(p.What+". "+p.Remedy, ". "), p.Code)
	default:
		fmt.Fprintln(c.err, p.Text())
	}
}
