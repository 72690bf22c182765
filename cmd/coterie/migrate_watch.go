package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/table"
)

// How often people and the database are told how far a migration is.
const (
	tellTerminal = 500 * time.Millisecond
	tellLines    = 10 * time.Second
	tellDatabase = 2 * time.Second
)

// watchMigration does something long and tells how far it is.
func (c *cli) watchMigration(ctx context.Context, p *migrate.Progress, tell *teller, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }() // waited for below
	f, ok := c.err.(*os.File)
	terminal := ok && term.IsTerminal(int(f.Fd())) && !c.flags.quiet
	every := tellLines
	if terminal {
		every = tellTerminal
	}
	look := time.NewTicker(tellTerminal)
	defer look.Stop()
	var pace pace
	told, toldThere, moved := time.Now(), time.Now(), int64(0)
	for {
		select {
		case err := <-done:
			if terminal {
				fmt.Fprint(c.err, "\r\x1b[K")
			}
			return err
		case <-look.C:
		}
		pace.see(p)
		if now := p.Moved(); now != moved {
			moved = now
			lives()
		}
		if time.Since(told) >= every {
			told = time.Now()
			if terminal {
				fmt.Fprintf(c.err, "\r\x1b[K%s", pace.line(p, true))
			} else {
				c.say("%s", pace.line(p, false))
			}
		}
		if time.Since(toldThere) >= tellDatabase {
			toldThere = time.Now()
			tell.now(ctx, p)
		}
	}
}

// pace is how quickly a step goes.
type pace struct {
	step  migrate.Step
	begun time.Time
	first int64
}

func (v *pace) see(p *migrate.Progress) {
	if s := p.Step(); s != v.step {
		v.step, v.begun, v.first = s, time.Now(), p.Bytes.Load()
	}
}

// line is how far it is: "[####....] 11.0/18.2 GiB 7912/11204 files 46.0 MiB/s 2m38s left".
func (v *pace) line(p *migrate.Progress, bar bool) string {
	done, all := p.Bytes.Load(), p.BytesTotal.Load()
	if all < done {
		all = done
	}
	text := fmt.Sprintf("%s: %s of %s, %d of %d files", v.step, size(done), size(all), p.Files.Load(), max(p.Files.Load(), p.FilesTotal.Load()))
	if took := time.Since(v.begun); took > time.Second && done > v.first {
		rate := float64(done-v.first) / took.Seconds()
		text += fmt.Sprintf(", %s/s", size(int64(rate)))
		if left := time.Duration(float64(all-done) / rate * float64(time.Second)); left > 0 {
			text += ", " + table.Duration(left.Round(time.Second)) + " left"
		}
	}
	if bar && all > 0 {
		const wide = 12
		n := int(int64(wide) * done / all)
		return "[" + strings.Repeat("#", n) + strings.Repeat(".", wide-n) + "] " + text
	}
	return text
}

// teller tells the database how far a migration is, as far as there is one: a
// migration waits for no database.
type teller struct {
	c      *cli
	k      *cluster
	plan   migrate.Plan
	reason string
	quiet  bool // it has failed once, and that was said
}

func (c *cli) teller(ctx context.Context, cmd *cobra.Command, p migrate.Plan, reason string) *teller {
	t := &teller{c: c, plan: p, reason: reason}
	inside, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	k, err := c.open(inside, cmd)
	if err != nil {
		// Who has named a configuration wants to hear that it does not work.
		if c.flags.config != "" || os.Getenv("COTERIE_CONFIG") != "" {
			c.say("The database is not told: %v", asProblem(err))
		} else {
			c.detail("The database is not told: %v", asProblem(err))
		}
		return t
	}
	t.k = k
	return t
}

func (t *teller) close() {
	if t.k != nil {
		if err := t.k.db.Close(); err != nil {
			t.c.detail("close the database: %v", err)
		}
	}
}

const migrationTellSQL = `SELECT coterie.migration_tell($1, $2, $3, $4, $5, $6, $7, $8)`

func (t *teller) say(ctx context.Context, phase string, done []int64, message string) {
	if t.k == nil || t.quiet {
		return
	}
	inside, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	var ok bool
	by := caller()
	if t.reason != "" {
		by += ": " + t.reason
	}
	err := t.k.command(inside, &ok, migrationTellSQL, t.plan.ID, t.k.cfg.Node.Name, t.plan.From, t.plan.To, phase, pq.Array(done), message, by)
	if err != nil {
		t.quiet = true
		t.c.say("The database is not told any more: %v", asProblem(err))
	}
}

func (t *teller) now(ctx context.Context, p *migrate.Progress) {
	phases := map[migrate.Step]string{
		migrate.Begin: "beginning", migrate.Copy: "copying", migrate.Prove: "proving", migrate.Publish: "publishing", migrate.Cut: "cutting over",
		migrate.Clear: "finishing", migrate.Restore: "rolling back", migrate.Withdraw: "rolling back", migrate.Sweep: "rolling back",
	}
	if phase := phases[p.Step()]; phase != "" {
		t.say(ctx, phase, counts(p), "")
	}
}

func counts(p *migrate.Progress) []int64 {
	return []int64{p.Files.Load(), max(p.Files.Load(), p.FilesTotal.Load()), p.Bytes.Load(), max(p.Bytes.Load(), p.BytesTotal.Load())}
}

// last says how a run ended.
func (t *teller) last(ctx context.Context, j migrate.Journal, r migrate.Run, err error) {
	message := ""
	if err != nil {
		message = err.Error()
	}
	phase := migrate.Phase(j)
	if r.Goal == migrate.Rollback && err == nil {
		phase = "rolled back"
	}
	t.say(ctx, phase, counts(r.Progress), message)
}
