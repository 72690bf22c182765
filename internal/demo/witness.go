package demo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// What a run says to the witness.
const (
	saysStart   = "start"   // before it does anything
	saysDone    = "done"    // its effect has been made
	saysRefused = "refused" // its effect was not made: a later token had been there
)

// testimony is one line of the witness: what a run of a slot said under its token.
// The order of lines is the order in which things happened; it comes from the file
// system, and neither a clock nor the database has a part in it.
type testimony struct {
	Says  string
	Job   string
	Due   time.Time
	Token int64
	Node  string
	PID   int
}

func (t testimony) String() string {
	return fmt.Sprintf("%-7s %s due=%s token=%d node=%s pid=%d", t.Says, t.Job, t.Due.UTC().Format(time.RFC3339Nano), t.Token, t.Node, t.PID)
}

// slot names what at most one run may act for.
func (t testimony) slot() slot { return slot{t.Job, t.Due.UnixMicro()} }

type slot struct {
	job string
	due int64 // microseconds since 1970
}

func (s slot) String() string {
	return s.job + " of " + time.UnixMicro(s.due).UTC().Format("15:04:05.000")
}

// witness is the file that the runs of all nodes append to.
type witness string

func (w witness) hear(t testimony) error { return appendLine(string(w), t.String()) }

// tell returns everything that was said, in order.
func (w witness) tell() ([]testimony, error) {
	text, err := os.ReadFile(string(w))
	if err != nil {
		return nil, fmt.Errorf("hear the witness: %w", err)
	}
	var all []testimony
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		t, err := parseTestimony(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("hear the witness: %w", err)
		}
		all = append(all, t)
	}
	return all, nil
}

func parseTestimony(line string) (t testimony, err error) {
	words := strings.Fields(line)
	if len(words) != 6 {
		return t, fmt.Errorf("%q is no testimony", line)
	}
	t.Says, t.Job = words[0], words[1]
	var errs [4]error
	value := func(i int, name string) string {
		v, ok := strings.CutPrefix(words[i], name+"=")
		if !ok {
			errs[3] = fmt.Errorf("%s is missing", name)
		}
		return v
	}
	t.Due, errs[0] = time.Parse(time.RFC3339Nano, value(2, "due"))
	t.Token, errs[1] = strconv.ParseInt(value(3, "token"), 10, 64)
	t.Node = value(4, "node")
	t.PID, errs[2] = strconv.Atoi(value(5, "pid"))
	if err := errors.Join(errs[:]...); err != nil {
		return t, fmt.Errorf("%q is no testimony: %w", line, err)
	}
	return t, nil
}

// newest is the highest token under which anything was said for a job.
func newest(all []testimony, job string) int64 {
	var highest int64
	for _, t := range all {
		if t.Job == job {
			highest = max(highest, t.Token)
		}
	}
	return highest
}
