package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// text is a column of any kind, as it is shown: views gain columns and change
// how they write numbers, and a page must not break over it.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	switch {
	case bytes.Equal(b, []byte("null")):
		*t = ""
	case len(b) > 0 && b[0] == '"':
		return json.Unmarshal(b, (*string)(t))
	default:
		*t = text(b)
	}
	return nil
}

// time is zero when the column holds none.
func (t text) time() time.Time {
	at, err := time.Parse(time.RFC3339, string(t))
	if err != nil {
		return time.Time{}
	}
	return at
}

// duration reads seconds, or an interval as PostgreSQL writes it: "1 day 02:03:04.5".
func (t text) duration() (time.Duration, bool) {
	if s, err := strconv.ParseFloat(string(t), 64); err == nil {
		return time.Duration(s * float64(time.Second)), true
	}
	var d time.Duration
	words := strings.Fields(string(t))
	for i := 0; i+1 < len(words); i += 2 {
		n, err := strconv.Atoi(words[i])
		if err != nil || !strings.HasPrefix(words[i+1], "day") {
			return 0, false
		}
		d += time.Duration(n) * 24 * time.Hour
	}
	if len(words)%2 == 0 {
		return d, len(words) > 0
	}
	last := words[len(words)-1]
	var h, m int
	var s float64
	if n, err := fmt.Sscanf(strings.TrimPrefix(last, "-"), "%d:%d:%g", &h, &m, &s); n != 3 || err != nil {
		return 0, false
	}
	clock := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s*float64(time.Second))
	if strings.HasPrefix(last, "-") {
		clock = -clock
	}
	return d + clock, true
}

// jobRow is what is shown of a job: columns of the view coterie.jobs.
type jobRow struct {
	Name          text `json:"name"`
	Schedule      text `json:"schedule"`
	TimeZone      text `json:"time_zone"`
	Enabled       text `json:"enabled"`
	Runner        text `json:"runner"`
	NextDueAt     text `json:"next_due_at"`
	LastDueAt     text `json:"last_due_at"`
	LastOutcome   text `json:"last_outcome"`
	LastTook      text `json:"last_took"`
	FailuresInRow text `json:"failures_in_row"`
	Overdue       text `json:"overdue"`
	Message       text `json:"message"`
}

// late is how long a slot has been due that should have begun.
func (j jobRow) late(now time.Time) time.Duration {
	if d, ok := j.Overdue.duration(); ok {
		return max(d, 0)
	}
	if due := j.NextDueAt.time(); j.Overdue == "true" && !due.IsZero() {
		return max(now.Sub(due), 0)
	}
	return 0
}
