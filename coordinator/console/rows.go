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

// What is shown of each list: columns of the view of that name.
type (
	statusRow struct {
		Name     text `json:"name"`
		Status   text `json:"status"`
		Sentence text `json:"sentence"`
	}
	nodeRow struct {
		Name         text `json:"name"`
		Goal         text `json:"goal"`
		GoalBy       text `json:"goal_by"`
		GoalReason   text `json:"goal_reason"`
		State        text `json:"state"`
		AppVersion   text `json:"app_version"`
		LastSeenAt   text `json:"last_seen_at"`
		LeasesHeld   text `json:"leases_held"`
		JobsRunning  text `json:"jobs_running"`
		StorageState text `json:"storage_state"`
		RTT          text `json:"db_rtt_ms"`
		Message      text `json:"message"`
	}
	jobRow struct {
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
	leaseRow struct {
		Name       text `json:"name"`
		Holder     text `json:"holder"`
		Token      text `json:"token"`
		AcquiredAt text `json:"acquired_at"`
		Valid      text `json:"valid"`
		WantedBy   text `json:"wanted_by"`
	}
	runRow struct {
		Job     text `json:"job"`
		DueAt   text `json:"due_at"`
		Outcome text `json:"outcome"`
	}
	takeoverRow struct {
		Lease     text `json:"lease"`
		FromNode  text `json:"from_node"`
		ToNode    text `json:"to_node"`
		Cause     text `json:"cause"`
		ClaimedAt text `json:"claimed_at"`
		Took      text `json:"took"`
	}
	trustRow struct {
		FromNode  text `json:"from_node"`
		ToNode    text `json:"to_node"`
		OK        text `json:"ok"`
		Result    text `json:"result"`
		LatencyMS text `json:"latency_ms"`
		Since     text `json:"since"`
		Reason    text `json:"reason"`
		Remedy    text `json:"remedy"`
	}
	findingRow struct {
		Code     text `json:"code"`
		Severity text `json:"severity"`
		Subject  text `json:"subject"`
		Since    text `json:"since"`
		Text     text `json:"text"`
		Remedy   text `json:"remedy"`
	}
	eventRow struct {
		At      text `json:"at"`
		Node    text `json:"node"`
		Kind    text `json:"kind"`
		Subject text `json:"subject"`
		Actor   text `json:"actor"`
		Reason  text `json:"reason"`
		Token   text `json:"token"`
		Peer    text `json:"peer"`
		Detail  text `json:"detail"`
	}
)

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

// row is the one of a document that is no list.
func row[T any](d Document) T {
	var row T
	if len(d.Rows) == 0 || json.Unmarshal(d.Rows, &row) != nil {
		return *new(T)
	}
	return row
}
