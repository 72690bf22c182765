package demo

import (
	"context"
	"fmt"
	"maps"
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
	crashes := slices.DeleteFunc(moved, func(t takeover) bool { return t.Cause != causeCrash })
	if d.For > 0 {
		s.enough(debts, len(crashes))
	}
	d.result = Result{
		Ready: d.result.Ready, Slots: s.slots, Outcomes: s.outcomes, Latest: seconds(s.worst),
		Crashes: len(crashes), Heard: len(said), Refused: s.refused, Wrong: s.wrong,
	}
	for _, t := range moves {
		d.result.Takeovers = append(d.result.Takeovers, seconds(t.After))
	}
	d.show.tell(d.text(&s))
	if len(s.wrong) > 0 {
		return &FailedError{Wrong: s.wrong}
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

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

// The width of what is said in the end, and of the names before it.
const (
	textWidth = 80
	nameWidth = 12
)

// text is the sums for people.
func (d *demo) text(s *sums) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		for _, part := range fold(fmt.Sprintf(format, args...), textWidth-nameWidth) {
			fmt.Fprintf(&b, "%-*s%s\n", nameWidth, name, part)
			name = ""
		}
	}
	b.WriteByte('\n')
	line("slots", "%d: %s", s.slots, s.outcomesLine())
	if s.asked > 0 {
		line("asked for", "%s", count(s.asked, "run"))
	}
	for i, r := range s.missed {
		if i == 8 {
			line("", "and %d more (coterie.runs has them all)", len(s.missed)-i)
			break
		}
		line("", "%s %s %s: %s", r.Job, r.Due.UTC().Format("15:04:05"), r.Outcome, r.Reason)
	}
	line("take-overs", "%d after a crash", d.result.Crashes)
	var after []string
	for _, t := range d.result.Takeovers {
		after = append(after, short(t.Seconds()))
	}
	if len(after) > 0 {
		line("", "from the kill: %s", strings.Join(after, ", "))
	}
	for name, n := range d.ends() {
		line("by itself", "the agent of %s ended %s", name, count(n, "time"))
	}
	line("latest", "a run started %s after it was due", short(s.worst))
	line("witness", "%s heard, %s refused", count(d.result.Heard, "word"), count(s.refused, "late effect"))
	if len(s.wrong) == 0 {
		line("verdict", "every slot has exactly one row, and none ran twice")
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

// ends are how often agents ended that nobody had harmed.
func (d *demo) ends() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.deaths)
}

// fold breaks a text into lines.
func fold(text string, width int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}
