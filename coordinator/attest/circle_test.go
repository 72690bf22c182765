package attest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// hall is some nodes, the folders that each has before it, and a clock. Nodes
// look every five seconds, and at once when a new one has told its nonce.
type hall struct {
	now     time.Time
	names   []string
	circles map[string]*Circle
	folder  map[string]string                  // of each node
	words   map[string]map[string]appdata.Word // by folder
	memory  map[string]map[string]appdata.Word // what a node's client shows, if it does not ask the server
	round   int64
	ready   map[string]bool
	told    map[[2]string]bool // reader, writer: seen
	frozen  map[string]bool
}

const turn = 5 * time.Second

func newHall(nodes ...string) *hall {
	h := &hall{
		now: time.Unix(0, 0), circles: map[string]*Circle{}, folder: map[string]string{}, words: map[string]map[string]appdata.Word{},
		memory: map[string]map[string]appdata.Word{}, ready: map[string]bool{}, told: map[[2]string]bool{}, frozen: map[string]bool{},
	}
	for _, n := range nodes {
		h.join(n, "export")
	}
	return h
}

func nonce(node string) string { return "NONCE" + strings.ToUpper(strings.Repeat(node, 20)) }

func (h *hall) join(node, folder string) {
	h.names = append(h.names, node)
	h.circles[node], h.folder[node] = &Circle{}, folder
}

// peers is what the database says to a node; those before it in names came before it.
func (h *hall) peers(me string) (peers []Peer) {
	for i, n := range h.names {
		if n == me || h.frozen[n] || h.circles[n].Judge(h.now).State != appdata.OK {
			continue // what has told that its share is of no use is not waited for
		}
		first := i < slices.Index(h.names, me)
		p := Peer{Node: n, Incarnation: 1, Nonce: nonce(n), Every: turn, First: first, Newer: !first, Counts: first || h.ready[n]}
		if seen, known := h.told[[2]string{n, me}]; known {
			p.SeesMe = Unseen
			if seen {
				p.SeesMe = Seen
			}
		}
		peers = append(peers, p)
	}
	return peers
}

// look is one look of one node.
func (h *hall) look(n string) {
	c := h.circles[n]
	c.Learn(h.peers(n), h.ready[n])
	folder := h.words[h.folder[n]]
	if folder == nil {
		folder = map[string]appdata.Word{}
		h.words[h.folder[n]] = folder
	}
	h.round++
	folder[n] = appdata.Word{Nonce: nonce(n), Round: h.round}
	if m := h.memory[n]; m != nil {
		folder = m
	}
	words := &appdata.Words{Peers: map[string]appdata.Word{}}
	for _, name := range c.Names() {
		if w, there := folder[name]; there {
			words.Peers[name] = w
		}
	}
	c.Saw(words, h.now)
	news := c.News(h.now)
	for _, s := range news {
		h.told[[2]string{n, s.Node}] = s.Seen
	}
	c.Heard(news)
	c.Learn(h.peers(n), h.ready[n])
	if c.Judge(h.now).Proved {
		h.ready[n] = true
	}
}

// pass lets each node look in its turn until d is over.
func (h *hall) pass(d time.Duration) {
	for end := h.now.Add(d); h.now.Before(end); h.now = h.now.Add(turn / 5) {
		for _, n := range h.names {
			if h.frozen[n] || h.now.Sub(time.Unix(0, 0))%turn != 0 && !h.circles[n].Judge(h.now).Hurry {
				continue
			}
			h.look(n)
		}
	}
}

func (h *hall) want(t *testing.T, what string, want map[string]appdata.State) {
	t.Helper()
	for _, n := range h.names {
		v := h.circles[n].Judge(h.now)
		if w := want[n]; v.State != w || v.Proved != (w == appdata.OK) {
			t.Errorf("%s: %s is %s, %s, proved %t; want %s", what, n, v.State, v.Reason, v.Proved, w)
		}
	}
}

func TestNodesOfOneShareProveIt(t *testing.T) {
	h := newHall("a", "b", "c")
	h.pass(turn + time.Second)
	if len(h.ready) != 3 {
		t.Fatalf("ready are %v", h.ready)
	}
	told := len(h.told)
	h.pass(time.Hour)
	h.want(t, "an hour later", map[string]appdata.State{"a": "OK", "b": "OK", "c": "OK"})
	if told != 6 {
		t.Errorf("%d sights were told", told)
	}
	for _, c := range h.circles {
		if n := c.News(h.now); len(n) > 0 || c.Doubtful(h.now) {
			t.Errorf("a healthy hour is not silent: %v", n)
		}
	}
}

// Of any division of three nodes that start together, those of one folder become
// ready: that of the first.
func TestNoTwoNodesOnDifferentFoldersBecomeReady(t *testing.T) {
	for division := range 27 {
		h := newHall()
		folders := map[string]string{}
		for i, n := range []string{"a", "b", "c"} {
			folders[n] = fmt.Sprint("export", division/[]int{1, 3, 9}[i]%3)
			h.join(n, folders[n])
		}
		h.pass(time.Minute)
		for _, n := range h.names {
			if with := folders[n] == folders["a"]; h.ready[n] != with {
				t.Errorf("%v: %s ready is %t", folders, n, h.ready[n])
			}
		}
	}
}

// A copy was made while the others lived: it has all their words, and never a new one.
func TestACopyOfTheShareIsNoProof(t *testing.T) {
	h := newHall("a", "b")
	h.pass(time.Minute)
	h.words["copy"] = map[string]appdata.Word{}
	maps.Copy(h.words["copy"], h.words["export"])
	h.join("c", "copy")
	h.pass(10 * time.Second)
	if h.ready["c"] {
		t.Error("c is ready on a copy")
	}
	if v := h.circles["c"].Judge(h.now); v.State != appdata.Stale || !strings.Contains(v.Reason, "nothing new") {
		t.Errorf("after ten seconds: %+v", v)
	}
	h.want(t, "the others", map[string]appdata.State{"a": "OK", "b": "OK", "c": "STALE"})
}

func TestAClientThatRemembersIsStale(t *testing.T) {
	h := newHall("a", "b", "c")
	h.pass(time.Minute)
	h.memory["c"] = map[string]appdata.Word{"a": h.words["export"]["a"], "b": h.words["export"]["b"]}
	h.pass(20 * time.Second)
	h.want(t, "c remembers", map[string]appdata.State{"a": "OK", "b": "OK", "c": "STALE"})
	h.memory["c"] = nil
	h.pass(20 * time.Second)
	h.want(t, "c asks again", map[string]appdata.State{"a": "OK", "b": "OK", "c": "OK"})
}

// Words that lay there before one began to look prove nothing, though what one
// writes oneself is seen by all.
func TestWhoSeesOnlyWhatWasWrittenBeforeIsNotReady(t *testing.T) {
	h := newHall("a", "b")
	h.pass(time.Minute)
	h.memory["c"] = map[string]appdata.Word{"a": h.words["export"]["a"], "b": h.words["export"]["b"]}
	h.join("c", "export")
	h.pass(time.Minute)
	if h.ready["c"] {
		t.Error("c is ready")
	}
	h.want(t, "c remembers", map[string]appdata.State{"a": "OK", "b": "OK", "c": "STALE"})
}

func TestTheSmallerPartIsWrong(t *testing.T) {
	for moved, want := range map[string]map[string]appdata.State{
		"a":  {"a": "WRONG_SHARE", "b": "OK", "c": "OK"},
		"c":  {"a": "OK", "b": "OK", "c": "WRONG_SHARE"},
		"bc": {"a": "STALE", "b": "OK", "c": "OK"},
	} {
		h := newHall("a", "b", "c")
		h.pass(time.Minute)
		for _, n := range moved {
			h.folder[string(n)] = "other"
		}
		h.pass(20 * time.Second)
		h.want(t, moved+" moved", want)
	}
	h := newHall("a", "b")
	h.pass(time.Minute)
	h.folder["a"] = "other" // its own file would tell; here only the others can
	h.pass(20 * time.Second)
	h.want(t, "of two, the first is believed", map[string]appdata.State{"a": "OK", "b": "STALE"})
}

func TestWhoIsFrozenIsNotWaitedFor(t *testing.T) {
	h := newHall("a", "b")
	h.pass(time.Minute)
	h.frozen["a"] = true
	h.join("c", "export")
	h.pass(10 * time.Second)
	if !h.ready["c"] {
		t.Error("c waits for a, which is frozen")
	}
	h.pass(time.Minute)
	h.frozen["a"] = false
	h.look("a")
	h.pass(20 * time.Second)
	h.want(t, "thawed", map[string]appdata.State{"a": "OK", "b": "OK", "c": "OK"})
}

// One that is seen and does not see is as little proved as one that sees and is not seen.
func TestBothWaysAreNeeded(t *testing.T) {
	for _, blind := range []string{"a", "b"} {
		h := newHall("a")
		h.pass(time.Minute)
		if blind == "a" {
			h.memory["a"] = map[string]appdata.Word{}
		}
		h.join("b", "export")
		if blind == "b" {
			h.memory["b"] = map[string]appdata.Word{}
		}
		h.pass(30 * time.Second)
		if h.ready["b"] || !h.ready["a"] {
			t.Errorf("%s is blind: ready are %v", blind, h.ready)
		}
		if v := h.circles["b"].Judge(h.now); v.State != appdata.WrongShare || v.Waiting == "" {
			t.Errorf("%s is blind: b says %+v", blind, v)
		}
	}
}

// A peer that told its nonce before this life began is seen only when its round
// rises. Nobody waits for it, but it waits.
func TestWhoIsNotWaitedForIsLookedForSoon(t *testing.T) {
	for _, ready := range []bool{false, true} {
		c, now := &Circle{}, time.Unix(0, 0)
		c.Learn([]Peer{{Node: "b", Incarnation: 1, Nonce: nonce("b"), Every: turn}}, ready)
		for _, look := range []struct {
			round int64
			hurry bool
		}{{1, true}, {1, true}, {2, false}} {
			now = now.Add(30 * time.Millisecond)
			c.Saw(&appdata.Words{Peers: map[string]appdata.Word{"b": {Nonce: nonce("b"), Round: look.round}}}, now)
			if v := c.Judge(now); !v.Proved || v.Hurry != look.hurry {
				t.Errorf("ready %t, round %d: proved %t, hurry %t; want true, %t", ready, look.round, v.Proved, v.Hurry, look.hurry)
			}
		}
	}
}
