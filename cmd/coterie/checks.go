package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/sql/schema"
)

// checks are what doctor looked at, in its order, as rows.
type checks struct {
	rows *table.Rows
	exit int // of the worst
}

func newChecks() *checks {
	return &checks{rows: &table.Rows{View: "checks", Columns: []string{"check", "severity", "code", "text", "remedy"}}}
}

func (s *checks) well(check, format string, args ...any) {
	s.rows.Values = append(s.rows.Values, []any{check, "ok", nil, fmt.Sprintf(format, args...), nil})
}

func (s *checks) found(check, severity string, p *problem.Problem) {
	text := p.What
	if p.Why != "" {
		text += ": " + p.Why
	}
	s.rows.Values = append(s.rows.Values, []any{check, severity, p.Code, text, p.Remedy})
	if severity != "note" && (s.exit == problem.ExitDone || s.exit == problem.ExitDegraded) {
		s.exit = p.Exit
	}
}

// examine checks everything that can be checked from here. What depends on
// something that failed is left out: it would only repeat it.
func (c *cli) examine(cmd *cobra.Command) error {
	ctx, cancel := c.context(cmd)
	defer cancel()
	s := newChecks()
	if cfg, err := c.load(cmd); err != nil {
		s.found("configuration", "error", asProblem(err))
	} else {
		s.well("configuration", "node %s of cluster %s", cfg.Node.Name, cfg.Cluster)
		c.examineAgent(ctx, s, cfg)
		if err := c.examineDatabase(ctx, cmd, s); err != nil {
			s.found("database", "error", asProblem(err))
		} else if err := c.examinePooler(ctx, s, cfg); err != nil {
			s.found("pooler", "error", asProblem(err))
		} else if err := c.examineSettings(ctx, cmd, s); err != nil {
			s.found("settings", "error", asProblem(err))
		}
	}
	if err := c.showChecks(s); err != nil {
		return err
	}
	if s.exit != problem.ExitDone {
		return outcome(s.exit)
	}
	return nil
}

func (c *cli) examineAgent(ctx context.Context, s *checks, cfg *config.Config) {
	if _, err := askAgent(ctx, cfg, "/live"); err != nil {
		p := problem.New("COT-213", nil, "no agent of this configuration lives on this machine")
		p.Exit = problem.ExitDegraded
		s.found("agent", "warning", p)
		return
	}
	s.well("agent", "it lives")
}

func (c *cli) examineDatabase(ctx context.Context, cmd *cobra.Command, s *checks) error {
	a, err := c.readAll(ctx, cmd)
	if err != nil {
		return err
	}
	row := a.status.Row(0)
	s.well("database", "it answers in %.1f ms, schema %d", float64(a.rtt.Microseconds())/1000, row.Int("schema_version"))
	if row.Text("status") == "Up" {
		s.well("cluster", "%s", row.Text("sentence"))
	} else if a.findings.Len() == 0 {
		p := problem.New("COT-611", nil, "%s", row.Text("sentence"))
		p.Remedy = c.again("nodes")
		s.found("cluster", "warning", p)
	}
	for i := range a.findings.Len() {
		f := a.findings.Row(i)
		p := problem.New(f.Text("code"), nil, "%s", f.Text("text"))
		p.Remedy, p.Exit = f.Text("remedy"), problem.ExitDegraded
		s.found("cluster", f.Text("severity"), p)
	}
	return nil
}

// examinePooler says nothing where there is no pooler, or one that is not felt.
func (c *cli) examinePooler(ctx context.Context, s *checks, cfg *config.Config) error {
	how, err := schema.FindPooling(ctx, c.options(cfg))
	if err != nil {
		return err
	}
	if how == schema.TransactionPooling {
		s.found("pooler", "note", problem.New("COT-227", nil, "it shares connections after each transaction"))
	}
	return nil
}

// showChecks writes a line per check, and below it what to do.
func (c *cli) showChecks(s *checks) error {
	if !c.plain() {
		return c.show(s.rows, table.Column("CHECK", "check"), table.Column("STATE", "severity"), table.Column("CODE", "code"), table.Prose("TEXT", "text"), table.Prose("REMEDY", "remedy").AsWide())
	}
	signs := map[string]string{"ok": signWell, "warning": signLook, "error": signBad, "note": "-"}
	for i := range s.rows.Len() {
		r := s.rows.Row(i)
		sign := signs[r.Text("severity")]
		text := r.Text("text")
		if code := r.Text("code"); code != "" {
			text = code + " " + text
		}
		line := c.sign(sign) + pad("", 4-len(sign)) + pad(r.Text("check"), 15) + c.folded(text, 19) + "\n"
		if remedy := r.Text("remedy"); remedy != "" {
			line += pad("", 19) + "remedy  " + c.folded(remedy, 27) + "\n"
		}
		if err := c.print(line); err != nil {
			return err
		}
	}
	return nil
}
