package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coterie-ha/coterie/coordinator/supervisor"
)

// What main does when it is asked to supervise. The agent is the same program
// with another verb.
func ExampleRun() {
	supervise := func(ctx context.Context) int {
		self, err := os.Executable()
		if err != nil {
			return 1
		}
		exit, err := supervisor.Run(ctx, supervisor.Options{Agent: []string{self, "agent-itself"}, Log: slog.Default()})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return exit
	}
	main := func() {
		supervisor.Stage() // before anything else, in every role
		if len(os.Args) > 1 && os.Args[1] == "supervise" {
			os.Exit(supervise(context.Background()))
		}
		fmt.Println("another verb")
	}
	main()
	// Output: another verb
}

// What the agent does: it extends its authority at every heartbeat, and starts
// nothing without a supervisor.
func ExampleFromEnv() {
	client, err := supervisor.FromEnv()
	if errors.Is(err, supervisor.ErrNotSupervised) {
		fmt.Println("no supervisor, no jobs")
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() { cancel(client.Run(ctx)) }()

	trust := supervisor.BootTime() + 10*time.Second
	grace := 2 * time.Second
	client.Extend(trust-grace, grace)
	p, err := client.Start(ctx, supervisor.Command{
		ID: "audit-purge/2026-11-21T02:30Z", Argv: []string{"/opt/ucd/bin/purge", "--days", "90"}, Output: os.Stdout,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	exit, err := p.Wait(ctx)
	fmt.Println(exit.Code, err)
	// Output: no supervisor, no jobs
}
