package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) whyCommand() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use:   "why JOB|NODE|LEASE",
		Short: "Tell in sentences how it came to this",
		Long: `Tells why a job ran or did not run, why a node is in its state, or why a lease
is where it is: the answer first, then what happened around it. With --at it is
told of that time; of a job, the slot that was due then. Everything comes from
what the nodes wrote down at the time, so it is the same wherever you ask.

TIME is 02:30, "2026-11-20 02:30", 2026-11-20T02:30:00Z or 90m (so long ago).
Without a zone it is in the job's own time zone, for nodes and leases in UTC.`,
		Example: `  coterie why audit-purge
  coterie why audit-purge --at "2026-11-20 02:30"
  coterie why app-a --at 10m
  coterie why job/audit-purge -o json`,
		Args:              one("JOB, NODE or LEASE"),
		ValidArgsFunction: c.completeNames("jobs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			s, err := k.why(ctx, args[0], at)
			if err != nil {
				return err
			}
			return c.tellStory(s)
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "tell of this `TIME` (default: now)")
	return cmd
}

// story is what there is to tell of a thing.
type story struct {
	kind, subject string
	at            moment    // that is asked about; zero for now
	answer        []string  // sentences
	around        []episode // what happened, oldest first
	runs          *table.Rows
	more          string // command that shows more
}

// episode is something that happened.
type episode struct {
	at   time.Time
	text string
}

func (s *story) say(format string, args ...any) {
	s.answer = append(s.answer, fmt.Sprintf(format, args...))
}

const kindsSQL = `
SELECT EXISTS (SELECT FROM coterie.jobs v WHERE v.name = $1) OR EXISTS (SELECT FROM coterie.runs v WHERE v.job = $1) AS job,
       EXISTS (SELECT FROM coterie.nodes v WHERE v.name = $1) AS node,
       EXISTS (SELECT FROM coterie.leases v WHERE v.name = $1)
       OR EXISTS (SELECT FROM coterie.events v WHERE v.subject = $1 AND v.kind = 'lease.claimed') AS lease,
       coterie.clock() AS now`

// why finds out what a name is, and tells of it. A job comes before a node, a
// node before a lease: the leases of jobs have names of their own.
func (k *cluster) why(ctx context.Context, name, at string) (*story, error) {
	var is struct {
		Job, Node, Lease bool
		Now              time.Time
	}
	if err := k.db.GetContext(ctx, &is, kindsSQL, name); err != nil {
		return nil, fmt.Errorf("look for %q: %w", name, err)
	}
	s := &story{subject: name}
	switch {
	case is.Job:
		s.kind = "job"
		return s, k.whyJob(ctx, s, at, is.Now)
	case is.Node, is.Lease:
		var err error
		if s.at, err = parseMoment(at, time.UTC, is.Now); err != nil {
			return nil, err
		}
		if is.Node {
			s.kind = "node"
			return s, k.whyNode(ctx, s)
		}
		s.kind = "lease"
		return s, k.whyLease(ctx, s)
	}
	var names []string
	for _, view := range []string{"jobs", "nodes", "leases"} {
		some, err := k.names(ctx, view)
		if err != nil {
			return nil, err
		}
		names = append(names, some...)
	}
	return nil, nearest("COT-520", "no job, node or lease", name, names)
}

func (c *cli) tellStory(s *story) error {
	list := []table.Document{}
	for _, e := range s.around {
		list = append(list, table.Document{{Name: "at", Value: e.at.UTC().Format(time.RFC3339Nano)}, {Name: "text", Value: e.text}})
	}
	doc := table.Document{
		{Name: "schema", Value: "coterie.why/v1"},
		{Name: s.kind, Value: s.subject},
		{Name: "sentences", Value: s.answer},
		{Name: "around", Value: list},
	}
	if !s.at.zero() {
		doc = append(doc, table.Member{Name: "at", Value: s.at.from.UTC().Format(time.RFC3339Nano)})
	}
	if s.runs != nil {
		doc = append(doc, table.Member{Name: "runs", Value: s.runs.List()})
	}
	return c.document(doc, c.storyText(s))
}

func (c *cli) storyText(s *story) string {
	var b strings.Builder
	for _, sentence := range s.answer {
		b.WriteString(c.folded(sentence, 0) + "\n")
	}
	if len(s.around) > 0 {
		b.WriteString("\nWhat happened (UTC):\n")
	}
	day := ""
	for _, e := range s.around {
		at := e.at.UTC()
		if d := at.Format("2006-01-02"); d != day {
			day = d
			b.WriteString("  " + d + "\n")
		}
		const column = len("  15:04:05.000  ")
		fmt.Fprintf(&b, "  %s  %s\n", at.Format("15:04:05.000"), c.folded(e.text, column))
	}
	if s.more != "" {
		b.WriteString("\nmore  " + c.again("%s", s.more) + "\n")
	}
	return b.String()
}

// moment is a time as a person says it: as exact as it was said.
type moment struct {
	from  time.Time
	exact time.Duration // it may be any time from then on, less than so much later
}

func (m moment) zero() bool { return m.from.IsZero() }

// until is the first instant after the moment.
func (m moment) until() time.Time { return m.from.Add(m.exact) }

// holds tells whether an instant may be meant.
func (m moment) holds(t time.Time) bool { return !t.Before(m.from) && t.Before(m.until()) }

var momentLayouts = []struct {
	layout string
	exact  time.Duration
}{
	{"2006-01-02T15:04:05.999999999Z07:00", 0}, {"2006-01-02 15:04:05.999999999Z07:00", 0},
	{"2006-01-02 15:04:05", time.Second}, {"2006-01-02T15:04:05", time.Second},
	{"2006-01-02 15:04", time.Minute}, {"2006-01-02T15:04", time.Minute}, {"2006-01-02", 24 * time.Hour},
	{"01-02 15:04:05", time.Second}, {"01-02 15:04", time.Minute},
	{"15:04:05", time.Second}, {"15:04", time.Minute},
}

// parseMoment reads a time. What is left out of it is that of the latest such
// time; "" is no time.
func parseMoment(text string, zone *time.Location, now time.Time) (moment, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return moment{}, nil
	}
	if ago, err := time.ParseDuration(strings.TrimPrefix(text, "-")); err == nil && ago >= 0 {
		return moment{now.Add(-ago), time.Microsecond}, nil
	}
	now = now.In(zone)
	for _, l := range momentLayouts {
		t, err := time.ParseInLocation(l.layout, text, zone)
		if err != nil {
			continue
		}
		m := moment{t, l.exact}
		if m.exact == 0 {
			m.exact = time.Microsecond
			if t.Nanosecond() == 0 {
				m.exact = time.Second
			}
		}
		switch {
		case strings.HasPrefix(l.layout, "2006"):
		case strings.HasPrefix(l.layout, "01"):
			m.from = t.AddDate(now.Year()-t.Year(), 0, 0)
			if m.from.After(now) {
				m.from = m.from.AddDate(-1, 0, 0)
			}
		default:
			m.from = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone)
			if m.from.After(now) {
				m.from = time.Date(now.Year(), now.Month(), now.Day()-1, t.Hour(), t.Minute(), t.Second(), 0, zone)
			}
		}
		return m, nil
	}
	return moment{}, usageProblem("%q is no time", text).hint("", `Write 02:30, "2026-11-20 02:30", 2026-11-20T02:30:00Z or 90m (so long ago)`)
}

// utc is an instant in a sentence.
func utc(t time.Time) string { return exactly(t.UTC()) + " UTC" }

func exactly(t time.Time) string {
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format("2006-01-02 15:04:05.000")
}

// sentence ends a text as one.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// noStory is a time of which nothing is known.
func noStory(name string) error {
	return problem.New("COT-521", nil, "nothing is known of %s at that time", name)
}
