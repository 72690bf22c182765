//go:build linux

package chaos

import (
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

var midnight = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const second = int64(time.Second)

// right is a history in which node a holds a lease, dies, and b follows.
func right() *History {
	event := func(id int64, kind, node, subject string, token, life int64) Event {
		return Event{ID: id, At: id * second, Committed: id*second + 1, Seen: id*second + second/10, Kind: kind, Node: node, Subject: subject, Token: token, Life: life}
	}
	says := func(deed cluster.Deed, node string, slot int, token int64, from, at float64) cluster.Testimony {
		return cluster.Testimony{Deed: deed, Job: "x", Node: node, Due: midnight.Add(time.Duration(slot) * time.Second), Token: token, PID: int(token),
			From: int64(from * 1e9), At: int64(at * 1e9)}
	}
	return &History{
		Events: []Event{
			event(1, "session.began", "a", "a", 0, 100),
			event(2, "session.began", "b", "b", 0, 200),
			event(3, "lease.claimed", "a", "job/x", 1, 0),
			event(6, "session.ended", "b", "a", 0, 100),
			event(7, "lease.claimed", "b", "job/x", 2, 0),
			event(9, "lease.released", "b", "job/x", 2, 0),
		},
		Reads: []Read{
			{From: 4 * second, To: 4*second + 1, Lease: "job/x", Held: true, Node: "a", Life: 100, Token: 1},
			{From: 8 * second, To: 8*second + 1, Lease: "job/x", Held: true, Node: "b", Life: 200, Token: 2},
			{From: 10 * second, To: 10*second + 1, Lease: "job/x", Token: 2},
		},
		Testimonies: []cluster.Testimony{
			says(cluster.Began, "a", 0, 1, 3.5, 3.5), says(cluster.Accepted, "a", 0, 1, 3.6, 3.7), says(cluster.Acted, "a", 0, 1, 5, 5),
			says(cluster.Began, "b", 2, 2, 7.5, 7.5), says(cluster.Accepted, "b", 2, 2, 7.6, 7.7), says(cluster.Ended, "b", 2, 2, 8, 8),
		},
		Effects: []Effect{{"x", 1, "a", 1, 3*second + second*7/10}, {"x", 2, "b", 2, 7*second + second*7/10}},
		Jobs:    []Job{{"x", midnight, time.Second}},
		Runs: []Run{
			{"x", midnight, "a", 1, "lost", "its node died"},
			{"x", midnight.Add(time.Second), "", 2, "missed", "nobody held the lease"},
			{"x", midnight.Add(2 * time.Second), "b", 2, "succeeded", ""},
		},
	}
}

func TestARightHistoryIsRight(t *testing.T) {
	for _, v := range right().Check() {
		t.Error(v)
	}
}

// Each promise broken once, and each in the way that a fault would break it.
func TestEachBrokenPromiseIsNoticed(t *testing.T) {
	for what, broken := range map[string]struct {
		promise string
		how     func(*History)
	}{
		"a lease is claimed while it is held":           {"ledger", func(h *History) { h.Events = append(h.Events[:3:3], h.Events[4:]...) }},
		"a node without a session claims":               {"ledger", func(h *History) { h.Events = append(h.Events[:1:1], h.Events[2:]...) }},
		"a token is given twice":                        {"ledger", func(h *History) { h.Events[4].Token = 1 }},
		"somebody gives back what another holds":        {"ledger", func(h *History) { h.Events[5].Node = "a" }},
		"a life ends that is not the present one":       {"ledger", func(h *History) { h.Events[3].Life = 99 }},
		"two lives of a node at once":                   {"ledger", func(h *History) { h.Events[1] = Event{ID: 2, Kind: "session.began", Node: "a", Life: 101} }},
		"a program outlives its lease":                  {"beliefs", func(h *History) { h.Testimonies[2].At = 7*second + second*6/10 }},
		"a program outlives its frozen host":            {"beliefs", func(h *History) { h.Testimonies[2].At = 12 * second; h.Faults = frozen(5, 10) }},
		"a program acts on a frozen host":               {"beliefs", func(h *History) { h.Testimonies[2].At = 8 * second; h.Faults = frozen(5, 10) }},
		"an effect comes after one with a higher token": {"effects", func(h *History) { h.Effects[0], h.Effects[1] = h.Effects[1], h.Effects[0] }},
		"an effect comes after a higher token":          {"effects", func(h *History) { h.Effects[0].Committed = 7*second + second/2 }},
		"two nodes have one token":                      {"tokens", func(h *History) { h.Testimonies[4].Token = 1 }},
		"an old token is accepted after a new one":      {"tokens", func(h *History) { h.Testimonies[1].From, h.Testimonies[1].At = 8*second, 8*second+1 }},
		"an effect is lost":                             {"effects", func(h *History) { h.Effects = h.Effects[:1] }},
		"a fail-over begins no era":                     {"eras", func(h *History) { h.Faults = append(h.Faults, Fault{Kind: FailOver, From: 4 * second, To: 5 * second}) }},
		"a slot has no row":                             {"slots", func(h *History) { h.Runs = append(h.Runs[:1:1], h.Runs[2:]...) }},
		"a slot has two rows":                           {"slots", func(h *History) { h.Runs = append(h.Runs, h.Runs[2]) }},
		"a slot is run twice":                           {"slots", func(h *History) { h.Testimonies[3].Due = midnight }},
		"a program runs for a slot that was missed":     {"slots", func(h *History) { h.Testimonies[3].Due = midnight.Add(time.Second) }},
		"a run succeeds without its program":            {"slots", func(h *History) { h.Testimonies = h.Testimonies[:5] }},
		"an old holder is seen after the next":          {"history", func(h *History) { h.Reads[1].Node, h.Reads[1].Life, h.Reads[1].Token = "a", 100, 1 }},
		"a holder is seen before it claims":             {"history", func(h *History) { h.Reads[0].From, h.Reads[0].To = second, second }},
		"an effect is accepted before its claim":        {"history", func(h *History) { h.Testimonies[4].From, h.Testimonies[4].At = 4*second, 5*second }},
		"an effect is accepted after the next claim":    {"history", func(h *History) { h.Testimonies[1].From, h.Testimonies[1].At = 8*second, 8*second+1 }},
	} {
		h := right()
		broken.how(h)
		noticed := false
		for _, v := range h.Check() {
			noticed = noticed || v.Promise == broken.promise
		}
		if !noticed {
			t.Errorf("%s, and nothing is said of %s: %v", what, broken.promise, h.Check())
		}
	}
}

// A database that lost its last moments still gives no token twice.
func TestALossyHistoryIsJudgedByWhatCannotBeLost(t *testing.T) {
	h := right()
	h.Lossy = true
	h.Effects, h.Runs = h.Effects[1:], h.Runs[2:]
	h.Faults = []Fault{{Kind: FailOver, From: 10 * second, To: 11 * second}} // after which nothing was done
	for _, v := range h.Check() {
		t.Error(v)
	}
	h.Testimonies[4].Token = 1
	if len(h.Check()) == 0 {
		t.Error("a token was given twice, and nothing is said")
	}
}

// frozen is a host that stood still between two seconds.
func frozen(from, to int64) []Fault {
	return []Fault{{Kind: Asleep, Node: "a", From: from * second, To: to * second}}
}

// A program that was frozen in the middle of its lease ends when it wakes.
func TestAFrozenProgramIsNoneThatActs(t *testing.T) {
	h := right()
	h.Testimonies[2].At = 10*second + second/10
	h.Faults = frozen(5, 10)
	for _, v := range h.Check() {
		t.Error(v)
	}
}

func TestARowMayStandForMany(t *testing.T) {
	h := right()
	h.Runs = h.Runs[1:]
	h.Runs[0].Reason = "nobody held the lease; this row stands also for 1 slots from 2026-01-01T00:00:00Z on"
	h.Testimonies = h.Testimonies[3:]
	h.Effects = h.Effects[1:]
	for _, v := range h.Check() {
		t.Error(v)
	}
}
