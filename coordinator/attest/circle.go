package attest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// Peer is what the database says of another node.
type Peer struct {
	Node        string
	Incarnation int64
	Nonce       string
	Every       time.Duration // between its looks
	Newer       bool          // it told its nonce after this node's life began
	Counts      bool          // it is ready, or came before this node
	First       bool          // it came before this node
	SeesMe      Sight
}

// Sight is whether one node sees what another writes.
type Sight int

// Sights.
const (
	Unknown Sight = iota // too early to tell
	Seen
	Unseen
)

// Verdict is what a node makes of all that it saw.
type Verdict struct {
	Proved  bool          // it sees, and is seen by, whom it must
	State   appdata.State // OK, or what is wrong
	Reason  string        // why
	Waiting string        // what keeps it from being proved; empty when proved
	Untold  bool          // the others do not know of this life of the node yet
	Hurry   bool          // look again soon: somebody waits, or is late
	Asks    bool          // ask the database again soon: others may have seen this node
}

// Told is a sight that is news to the database.
type Told struct {
	Node        string
	Incarnation int64
	Seen        bool
	Reason      string
}

// slack is what a peer's word may be late beyond its turns.
const slack = 4 * time.Second

// Circle is what one node knows of the others. It is used by one goroutine.
type Circle struct {
	peers map[string]*peer
	ready bool
}

// peer is a Peer, and what was seen of its words.
type peer struct {
	Peer
	first   time.Time // when its words were first looked for
	round   int64     // highest that was seen with the right nonce; 0: none
	moved   time.Time // when round last rose, or was first seen while Newer
	found   appdata.Word
	told    Sight
	toldWhy string
}

// Learn takes in what the database says of all peers. A peer that is not named
// any more, or lives anew, is forgotten.
func (c *Circle) Learn(peers []Peer, ready bool) {
	now := map[string]*peer{}
	for _, p := range peers {
		was := c.peers[p.Node]
		if was == nil || was.Nonce != p.Nonce || was.Incarnation != p.Incarnation {
			was = &peer{}
		}
		was.Peer = p
		now[p.Node] = was
	}
	c.peers, c.ready = now, ready
}

// Names are the peers whose words are to be read.
func (c *Circle) Names() []string {
	names := make([]string, 0, len(c.peers))
	for name := range c.peers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Saw takes in what one look found that began at now.
func (c *Circle) Saw(words *appdata.Words, now time.Time) {
	for _, p := range c.peers {
		if p.first.IsZero() {
			p.first = now
		}
		p.found = words.Peers[p.Node]
		if p.found.Nonce != p.Nonce || p.found.Round <= p.round {
			continue
		}
		// What lay there before the first look may be a copy, unless it is younger than this node's life.
		if p.round > 0 || p.Newer {
			p.moved = now
		}
		p.round = p.found.Round
	}
}

// patience is how long a peer's word may stand still: a turn, a look that is
// given up for hanging (then the peer says so), and one of ours.
func (p *peer) patience() time.Duration { return p.Every + slack }

func (p *peer) sight(now time.Time) Sight {
	switch {
	case p.first.IsZero():
		return Unknown
	case p.moved.IsZero() && now.Sub(p.first) <= p.Every+slack/2:
		return Unknown // it was woken by the one that looks, or looks in its turn
	case p.moved.IsZero(), now.Sub(p.moved) > p.patience():
		return Unseen
	case p.found.Nonce != p.Nonce:
		return Unknown // it was there a moment ago
	}
	return Seen
}

// late says whether a peer should have written something new by now.
func (p *peer) late(now time.Time) bool { return now.Sub(p.moved) >= p.Every }

// why says what is wrong with an unseen peer's word.
func (p *peer) why() (appdata.State, string) {
	switch {
	case p.found == appdata.Word{}:
		return appdata.WrongShare, fmt.Sprintf("nothing is seen of what %s writes", p.Node)
	case p.found.Nonce != p.Nonce:
		return appdata.WrongShare, fmt.Sprintf("shows what another life of %s wrote", p.Node)
	}
	return appdata.Stale, fmt.Sprintf("shows what %s wrote long ago, and nothing new", p.Node)
}

// News are the sights that the database does not know yet.
func (c *Circle) News(now time.Time) []Told {
	var news []Told
	for _, name := range c.Names() {
		p := c.peers[name]
		s := p.sight(now)
		reason := ""
		if s == Unseen {
			_, reason = p.why()
		}
		if s != Unknown && (s != p.told || reason != p.toldWhy) {
			news = append(news, Told{Node: name, Incarnation: p.Incarnation, Seen: s == Seen, Reason: reason})
		}
	}
	return news
}

// Heard notes that the database took what News gave.
func (c *Circle) Heard(news []Told) {
	for _, n := range news {
		if p := c.peers[n.Node]; p != nil && p.Incarnation == n.Incarnation {
			p.told, p.toldWhy = Unseen, n.Reason
			if n.Seen {
				p.told = Seen
			}
		}
	}
}

// Forget makes everything news again: the database, or this node's life, is another.
func (c *Circle) Forget() {
	for _, p := range c.peers {
		p.told, p.toldWhy = Unknown, ""
	}
}

// Doubtful says whether what the database said of the peers should be asked for
// anew, because one of them is not seen, or this node waits for one.
func (c *Circle) Doubtful(now time.Time) bool {
	for _, p := range c.peers {
		if p.sight(now) == Unseen || p.SeesMe == Unseen {
			return true
		}
	}
	return !c.Judge(now).Proved
}

// Judge decides. It changes nothing.
func (c *Circle) Judge(now time.Time) Verdict {
	if c.ready {
		return c.majority(now)
	}
	return c.everybody(now)
}

// everybody is the rule for a node that is not ready yet.
func (c *Circle) everybody(now time.Time) Verdict {
	v := Verdict{Proved: true, State: appdata.OK}
	var waiting []string
	for _, name := range c.Names() {
		p := c.peers[name]
		s := p.sight(now)
		if !p.Counts {
			v.Hurry = v.Hurry || s == Unknown // it may wait to be seen
			continue
		}
		switch {
		case s == Seen && p.SeesMe == Seen:
			continue
		case s == Unseen:
			v.worsen(p.why())
		case p.SeesMe == Unseen:
			v.worsen(appdata.WrongShare, fmt.Sprintf("%s does not see what is written here", name))
		}
		v.Proved = false
		v.Hurry, v.Asks = v.Hurry || s != Seen, v.Asks || s == Seen
		waiting = append(waiting, name)
	}
	if len(waiting) > 0 {
		v.Waiting = "waiting until this node and " + strings.Join(waiting, ", ") + " have seen each other on the share"
	}
	return v
}

// majority is the rule for a node that is ready.
func (c *Circle) majority(now time.Time) Verdict {
	v := Verdict{Proved: true, State: appdata.OK}
	all, with, first := 1, 1, true // this node, with itself
	found := Verdict{State: appdata.OK}
	for _, name := range c.Names() {
		p := c.peers[name]
		if !p.Counts {
			v.Hurry = v.Hurry || p.sight(now) == Unknown
			continue
		}
		all++
		lost := true
		v.Hurry = v.Hurry || p.late(now)
		switch {
		case p.sight(now) == Unseen:
			found.worsen(p.why())
		case p.SeesMe == Unseen:
			found.worsen(appdata.WrongShare, fmt.Sprintf("%s does not see what is written here", name))
		default:
			lost = false
			with++
		}
		if lost && p.First {
			first = false
		}
	}
	if 2*with > all || 2*with == all && first {
		return v
	}
	v.Proved, v.State, v.Reason = false, found.State, found.Reason
	v.Waiting = found.Reason
	return v
}

func (v *Verdict) worsen(s appdata.State, reason string) {
	var c appdata.Condition
	if v.State != appdata.OK {
		c.State, c.Reason = v.State, v.Reason
	}
	c.Worsen(s, reason)
	v.State, v.Reason = c.State, c.Reason
}
