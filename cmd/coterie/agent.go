package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata/worker"
	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/coordinator/supervisor"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
)

// Hidden verbs: what the agent's own processes are called with.
const (
	verbSupervised = "agent-main"
	verbWorker     = "worker"
)

// agentCommand is what systemd starts: the supervisor, and below it the agent.
func (c *cli) agentCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "agent",
		Short: "Run the sidecar of this node",
		Long: `Runs the agent of this node until it is told to stop (SIGTERM, Ctrl-C). The
process that you see is a supervisor; the agent and all jobs are below it. If
the agent freezes or dies, the supervisor stops its jobs in time, and tells the
cluster, so that another node can go on.

Told to stop, the node takes nothing more, hands over what is idle, waits for
its runs (drain.deadline at most), reports that it left, and ends its session.`,
		Example: `  coterie -c app-a.yaml agent
  coterie -c app-a.yaml agent --log-level debug
  systemctl enable --now coterie`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(cmd)
			if err != nil {
				return err
			}
			return c.supervise(cmd.Context(), cfg, config.Arguments(cmd.Flags()))
		},
	}
}

// supervise locks the state directory for as long as anything of this agent may
// act, and supervises the agent in a process of its own.
func (c *cli) supervise(ctx context.Context, cfg *config.Config, flags []string) error {
	lock, err := coordinator.Lock(cfg.Node.StateDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	code, err := supervisor.Run(context.WithoutCancel(ctx), supervisor.Options{
		Agent: append([]string{self, "-c", cfg.File(), verbSupervised}, flags...),
		Log:   logger(cfg.Log, c.err).With("process", "supervisor"),
	})
	if err != nil {
		return err
	}
	if code != problem.ExitDone {
		return outcome(code) // the agent has said why
	}
	return nil
}

// supervisedCommand is the agent itself.
func (c *cli) supervisedCommand() *cobra.Command {
	return &cobra.Command{
		Use: verbSupervised, Hidden: true, Args: nothing,
		Short:   "The agent below its supervisor",
		Example: "  coterie agent          starts it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			line, err := supervisor.FromEnv()
			if errors.Is(err, supervisor.ErrNotSupervised) {
				return usageProblem("%s is started by: coterie agent", verbSupervised)
			}
			if err != nil {
				return err
			}
			cfg, err := c.load(cmd)
			if err != nil {
				return err
			}
			// Told again, the supervisor decides; this process keeps handing over.
			signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM)
			a := &agent{cfg: cfg, supervisor: line, log: logger(cfg.Log, c.err).With("node", cfg.Node.Name)}
			return a.run(cmd.Context())
		},
	}
}

// workerCommand touches the share for the agent, and may be lost.
func (c *cli) workerCommand() *cobra.Command {
	return &cobra.Command{
		Use: verbWorker, Hidden: true, Args: nothing,
		Short:   "The process that touches the share",
		Example: "  coterie agent          starts it",
		RunE:    func(*cobra.Command, []string) error { return worker.Serve(c.in, c.out) },
	}
}

// quietLogger tells only what went wrong: its reader wants a command's output.
func quietLogger(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelError}))
}

// logger writes what the agent has to say: text for people, JSON for collectors.
func logger(cfg config.Log, to io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, o))
	}
	return slog.New(slog.NewTextHandler(to, o))
}

// buildVersion is the version of this program.
func buildVersion() string {
	version, _ := build()
	return version
}
