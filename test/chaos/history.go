//go:build linux

package chaos

import (
	"fmt"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// History is what was written down during a trial. Instants are of the
// machine's monotonic clock, in nanoseconds, as witnesses see it.
type History struct {
	Events      []Event
	Reads       []Read
	Testimonies []cluster.Testimony
	Effects     []Effect
	Runs        []Run
	Jobs        []Job
	Faults      []Fault
	End         int64

	// Lossy is a database that failed over to a standby which had not received
	// everything: what it lost can neither be found nor put in order.
	Lossy bool
}

// Event is a row of the ledger.
type Event struct {
	ID        int64
	At        int64 // when it was written, before its transaction was committed
	Committed int64 // when the commit was decided
	Seen      int64 // when the reader first saw it; 0 if it never did
	Node      string
	Kind      string
	Subject   string
	Token     int64
	Life      int64 // incarnation, of session.began and session.ended
}

// Read is what the lease table showed of one lease, at some instant in between.
type Read struct {
	From, To int64
	Lease    string
	Held     bool // by a life that has its session
	Node     string
	Life     int64
	Token    int64
}

// Effect is a row of the application's table, in the order of their numbers.
type Effect struct {
	Job       string
	Token     int64
	Node      string
	PID       int
	Committed int64
}

// Run is a row of coterie.run.
type Run struct {
	Job     string
	Due     time.Time
	Node    string
	Token   int64
	Outcome string
	Reason  string
}

// Job is a job on a grid.
type Job struct {
	Name  string
	First time.Time
	Every time.Duration
}

// Fault is something that was done to the cluster.
type Fault struct {
	Kind     string
	Node     string // empty: the database
	From, To int64
}

// Violation is a promise that was not kept.
type Violation struct {
	Promise string
	Text    string
}

func (v Violation) String() string { return v.Promise + ": " + v.Text }

// violations collects them.
type violations []Violation

func (v *violations) add(promise, format string, args ...any) {
	*v = append(*v, Violation{promise, fmt.Sprintf(format, args...)})
}

// Check returns all that is wrong with a history.
func (h *History) Check() []Violation {
	var v violations
	tenures := h.ledger(&v)
	h.beliefs(&v)
	h.tokens(&v)
	h.effects(&v, tenures)
	h.eras(&v)
	if !h.Lossy {
		h.acknowledged(&v)
		h.slots(&v)
		h.linearize(&v, tenures)
	}
	return v
}

// around tells which faults were at work between two instants, on the clock of
// the logs.
func (h *History) around(from, to int64) string {
	offset := time.Now().UnixNano() - cluster.Monotonic()
	clock := func(at int64) string { return time.Unix(0, at+offset).UTC().Format("15:04:05.000") }
	var text strings.Builder
	text.WriteString(fmt.Sprintf("\n\tfrom %s to %s, with these faults:", clock(from), clock(to)))
	for _, f := range h.Faults {
		if f.From < to && from < f.To+int64(5*time.Second) {
			text.WriteString(fmt.Sprintf("\n\t%s - %s %s %s", clock(f.From), clock(f.To), f.Node, f.Kind))
		}
	}
	return text.String()
}

// lease is the lease of a job.
func lease(job string) string { return "job/" + job }

func ms(ns int64) time.Duration { return time.Duration(ns).Round(100 * time.Microsecond) }
