package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Snapshot is what an agent knows in memory at one moment. Moments without a
// comment are of this process, with their monotonic reading.
type Snapshot struct {
	Cluster string
	Node    string

	Goal       string // ready or drained, as last read; empty before
	GoalBy     string
	GoalReason string
	State      string // as the node last reported, or would have; empty before it joined
	Message    string

	Joined  bool // the cluster took this node in, and has not put it out
	Schema  int  // version of the database's schema; 0 while it is not known
	Started time.Time
	Turned  time.Time // when the session's loop last turned; it must go on turning while the database is away

	TTL       time.Duration
	Heartbeat time.Duration
	Margin    time.Duration

	Trusted time.Time     // until when leases may be acted for
	Beaten  time.Time     // when the last heartbeat was acknowledged
	RTT     time.Duration // how long it took
	Err     string        // why the latest heartbeat failed; empty when it did not
	Now     time.Time     // the database's time at the moment of this snapshot; zero while unknown

	Held     []Lease
	Segments []Segment
	Share    Share
	Keystore Keystore
	Trust    Trust
	Pool     Pool

	// Docs holds a document per list, see Lists. A list that was never read is absent.
	Docs map[string]Document
}

// Keystore is that of the server on this node.
type Keystore struct {
	Name string    // empty: there is none
	OK   bool      // the active version is in place
	Ends time.Time // its certificate; zero when no version is active
}

// Trust is what this node has to do with trust between servers.
type Trust struct {
	TakesPart bool
	OK        bool                 // whom it trusts is what the cluster's newest trust store has
	Ends      map[string]time.Time // certificates that are trusted, by alias
	Called    map[string]bool      // nodes whose server was called: whether it could be, last time
}

// Lease is a lease that this node holds.
type Lease struct {
	Name  string `json:"name"`
	Token int64  `json:"token"`
}

// Segment is one thing that must work on this node.
type Segment struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Text string `json:"text"` // how well, or why not
}

// Share is what this node last saw of the shared folder.
type Share struct {
	State     string // as in coterie.storages; empty before the first look
	Proved    bool   // it is the cluster's own
	FreeBytes int64
}

// Pool is what the database connections of this agent do.
type Pool struct {
	InUse  int
	Idle   int
	Waited time.Duration // in all, for a free connection
}

// Document is a list as it was last read from its view.
type Document struct {
	Rows json.RawMessage // an array of objects; of status one object
	AsOf time.Time       // when it was read, or was last known to be unchanged
}

// Lists names the documents that a snapshot may hold; each is served as NAME.json.
func Lists() []string {
	return []string{"status", "nodes", "jobs", "leases", "runs", "events", "takeovers", "findings", "storages", "trusts"}
}

// LB is what a load balancer is told about a node.
type LB string

// What load balancers are told.
const (
	LBReady    LB = "ready"
	LBDraining LB = "draining"
	LBOut      LB = "out"
)

// LB says whether users may be sent to this node, and why. It is fail-static: it
// asks neither for trust nor for a database, only for what was last known.
func (s Snapshot) LB() (answer LB, reason string) {
	switch s.State {
	case "ready":
		if s.Goal == "drained" {
			answer, reason = LBDraining, s.wanted()
			break
		}
		answer = LBReady
	case "draining", "drained":
		answer, reason = LBDraining, s.wanted()
	case "leaving":
		answer, reason = LBDraining, "the node is leaving"
	case "":
		return LBOut, "the node has not joined yet"
	case "joining":
		return LBOut, orElse(s.Message, "the node is joining")
	default: // left, evicted
		return LBOut, orElse(s.Message, "the node is "+s.State)
	}
	if s.Err != "" {
		reason = join("database away, this is the last word known", reason)
	}
	return answer, reason
}

func (s Snapshot) wanted() string {
	if s.Goal != "drained" {
		return orElse(s.Message, "the node is "+s.State)
	}
	text := "drained"
	if s.GoalBy != "" {
		text += " by " + s.GoalBy
	}
	return join(text, s.GoalReason)
}

// Token is the token under which this node may act for a lease right now.
func (s Snapshot) Token(lease string) (token int64, held bool) {
	if !time.Now().Before(s.Trusted) {
		return 0, false
	}
	i := slices.IndexFunc(s.Held, func(l Lease) bool { return l.Name == lease })
	if i < 0 {
		return 0, false
	}
	return s.Held[i].Token, true
}

// Turning says whether the agent's loops turn, or else why not.
func (s Snapshot) Turning() (ok bool, why string) {
	last := s.Turned
	if last.IsZero() {
		last = s.Started // nothing can have turned yet
	}
	if last.IsZero() {
		return false, "no loop has turned yet"
	}
	allowed := 3 * s.Heartbeat
	if s.Heartbeat <= 0 {
		allowed = 3 * usualHeartbeat
	}
	if still := time.Since(last); still >= allowed {
		return false, fmt.Sprintf("no loop has turned for %s", brief(still))
	}
	return true, ""
}

// usualHeartbeat is assumed until the database has said what it is.
const usualHeartbeat = 1500 * time.Millisecond

// Ready says whether the agent has all that it needs to work, or else what is missing.
func (s Snapshot) Ready() (ok bool, why string) {
	switch {
	case !s.Joined:
		return false, "the node has not joined"
	case s.Schema == 0:
		return false, "the schema of the database is not known"
	case !s.Share.Proved:
		return false, "the share is not proved"
	}
	return true, ""
}

// segments are those of the agent, and one more when it has stopped thinking:
// then the others are only memories.
func (s Snapshot) segments() []Segment {
	turning, why := s.Turning()
	switch {
	case !turning:
		return append([]Segment{{Name: "agent", Text: why}}, s.Segments...)
	case len(s.Segments) == 0:
		return []Segment{{Name: "agent", Text: "nothing has been looked at yet"}}
	}
	return s.Segments
}

// now is the database's time if it is known, else this host's.
func (s Snapshot) now() time.Time {
	if s.Now.IsZero() {
		return time.Now()
	}
	return s.Now
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ": " + b
}
