package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// settleWithin bounds the waiting for rows.
const settleWithin = 4*sessionTTL + 10*time.Second

func (d *demo) witness() witness { return witness(d.place.path("share", witnessName)) }

func (d *demo) debts() []owed {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.owed)
}

const runsSQL = `
SELECT job, due_at AS due, coalesce(node, '') AS node, token, outcome, requested_by IS NOT NULL AS asked,
       extract(epoch FROM started_at - due_at) AS late, coalesce(reason, '') AS reason
FROM coterie.runs
ORDER BY due_at, job`

func (d *demo) runs(ctx context.Context) ([]run, error) {
	var all []run
	if err := d.db.SelectContext(ctx, &all, runsSQL); err != nil {
		return nil, fmt.Errorf("read the runs: %w", err)
	}
	return all, nil
}

// settled waits until all slots up to now of those jobs, or of all, have their
// rows, and returns that instant.
func (d *demo) settled(ctx context.Context, names []string) (time.Time, error) {
	until, err := clock(ctx, d.db)
	if err != nil {
		return until, err
	}
	for begun := time.Now(); ; {
		runs, err := d.runs(ctx)
		if err != nil {
			return until, err
		}
		if d.missing(runs, names, until) == 0 || time.Since(begun) > settleWithin {
			return until, nil
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return until, err
		}
	}
}

func (d *demo) missing(runs []run, names []string, until time.Time) int {
	there := make(map[slot]bool, len(runs))
	for _, r := range runs {
		there[r.slot()] = true
	}
	missing := 0
	for _, o := range d.debts() {
		if names != nil && !slices.Contains(names, o.job) {
			continue
		}
		for _, at := range o.slots(until) {
			if !there[at] {
				missing++
			}
		}
	}
	return missing
}

// judge tells what the demo came to, and fails if something must not be. All
// agents have ended by now.
func (d *demo) judge(ctx context.Context) error {
	runs, err := d.runs(ctx)
	if err != nil {
		return err
	}
	said, err := d.witness().tell()
	if err != nil {
		return err
	}
	moved, err := takeovers(ctx, d.db, time.Time{}, "")
	if err != nil {
		return err
	}
	debts := d.debts()
	d.mu.Lock()
	until, moves := d.until, d.moves
	d.mu.Unlock()
	s := judge(debts, until, runs, said, func(name string) bool { n := d.node(name); return n != nil && n.wasZombie() })
	if err := d.violations(ctx, &s); err != nil {
		return err
	}
	crashes := slices.DeleteFunc(slices.Clone(moved), func(t takeover) bool { return t.Cause != causeCrash })
	if d.For > 0 {
		s.enough(debts, len(crashes))
	}
	d.show.tell(s.text(crashes, moves, len(said)))
	if len(s.wrong) > 0 {
		return &FailedError{Wrong: s.wrong}
	}
	return nil
}

const violationsSQL = `SELECT format('%s: %s (%s)', invariant, text, subject) FROM coterie.violations`

// violations adds what the database itself finds wrong.
func (d *demo) violations(ctx context.Context, s *sums) error {
	var lines []string
	if err := d.db.SelectContext(ctx, &lines, violationsSQL); err != nil {
		return fmt.Errorf("read the violations: %w", err)
	}
	for _, line := range lines {
		s.accuse("violation: %s", line)
	}
	return nil
}

// text is the sums for people.
func (s *sums) text(crashes, caused []takeover, heard int) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	b.WriteByte('\n')
	line("slots", "%d: %s", s.slots, s.outcomesLine())
	if s.asked > 0 {
		line("asked for", "%s", count(s.asked, "run"))
	}
	for i, r := range s.missed {
		if i == 8 {
			line("", "and %d more: psql -c \"select * from coterie.runs where outcome in ('skipped', 'missed')\"", len(s.missed)-i)
			break
		}
		line("", "%s %s %s: %s", r.Job, r.Due.UTC().Format("15:04:05"), r.Outcome, r.Reason)
	}
	var after []string
	for _, t := range caused {
		after = append(after, short(t.After))
	}
	line("take-overs", "%d after a crash", len(crashes))
	if len(after) > 0 {
		line("", "after a kill: %s", strings.Join(after, ", "))
	}
	line("latest", "a run started %s after it was due", short(s.worst))
	line("witness", "%s heard, %s refused", count(heard, "word"), count(s.refused, "late effect"))
	if len(s.wrong) == 0 {
		line("verdict", "every slot has exactly one row, and none ran twice")
		return strings.TrimSuffix(b.String(), "\n")
	}
	for i, wrong := range s.wrong {
		if i == 20 {
			line("", "and %d more", len(s.wrong)-i)
			break
		}
		line(map[bool]string{true: "WRONG"}[i == 0], "%s", wrong)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
