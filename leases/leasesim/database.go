package leasesim

import (
	"slices"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// database is a model of the tables in sql/schema and of the server around them.
type database struct {
	w     *world
	clock clock

	sessions map[string]session
	nodes    map[string]node // that say something of themselves
	ring     []string        // nodes that have a session, in order
	leases   []lease         // by name
	cluster  cluster
	head     int64 // highest committed event
	tokens   int64 // counters: what they gave is not given again, committed or not
	events   int64
	timeline int64 // that the server writes

	log     []change // what was committed, so that its tail can be lost
	pending []*tx    // holding locks
	locks   map[row]*tx

	down, frozen bool
	broke        int      // how many times all connections broke
	waiting      []func() // arrived while the server was frozen
	orders       []func(*cluster)
}

// session, lease, node and cluster are rows of the tables of that name; cluster
// has what coterie.setting holds, too.
type session struct {
	incarnation, beats int64 // no incarnation: no row
	ttl                time.Duration
	expires            time.Duration // by the database's clock
	takes              []string
}

type lease struct {
	name, class string
	node        string // empty: free
	incarnation int64
	token       leases.Token
	goal        string // node that an operator wants to hold it next
	now         bool   // without waiting for the holder to be idle
	prefer      string // node that balance leaves it with
	leases.Wish
}

// node is what a node reported of itself.
type node struct {
	weight int
	tags   []string
}

type cluster struct {
	setting  leases.Terms
	paused   bool // nothing moves that need not
	era      int64
	since    time.Duration // by the database's clock
	quiet    time.Duration // for so long after that nothing is granted
	settled  bool          // a node has seen it for so long
	timeline int64         // that the era belongs to
}

// row names a row that can be locked: a node's session, a lease, or the cluster.
type row struct {
	table byte // 's', 'l', 'c'
	node  string
	lease int
}

// change is a committed transaction, with what it replaced.
type change struct {
	at                   time.Duration
	writes               []write
	tokens, events, head int64 // when it was committed
}

func newDatabase(w *world, terms leases.Terms) *database {
	return &database{
		w: w, clock: clock{rate: 1000, shows: 1e18}, timeline: 1,
		sessions: map[string]session{}, nodes: map[string]node{}, locks: map[row]*tx{},
		cluster: cluster{setting: terms, timeline: 1, settled: true},
	}
}

func (db *database) now() time.Duration { return db.clock.at(db.w.now) }

// turn sets the database's clock.
func (db *database) turn(rate int64, by time.Duration) {
	db.clock.turn(db.w.now, rate, by)
}

// declare is coterie.lease_declare.
func (db *database) declare(name, class string) {
	db.leases = append(db.leases, lease{name: name, class: class})
	slices.SortFunc(db.leases, func(a, b lease) int { return compare(a.name, b.name) })
	db.events++
	db.head = db.events
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// find is the index of a lease's row, or -1.
func (db *database) find(name string) int {
	i, ok := slices.BinarySearchFunc(db.leases, name, func(l lease, name string) int { return compare(l.name, name) })
	if !ok {
		return -1
	}
	return i
}

// held says whether a lease's holder has a session.
func (db *database) held(l lease) bool {
	return l.node != "" && db.sessions[l.node].incarnation == l.incarnation
}

func (db *database) setSession(node string, s session) {
	i, there := slices.BinarySearch(db.ring, node)
	switch {
	case s.incarnation == 0:
		delete(db.sessions, node)
		if there {
			db.ring = slices.Delete(db.ring, i, i+1)
		}
		return
	case !there:
		db.ring = slices.Insert(db.ring, i, node)
	}
	db.sessions[node] = s
}

// breakOff ends all connections; what was not committed never was.
func (db *database) breakOff() {
	db.broke++
	for len(db.pending) > 0 {
		db.pending[0].unlock()
	}
	db.thaw()
}

// thaw lets a frozen server go on with what arrived meanwhile.
func (db *database) thaw() {
	db.frozen = false
	waiting := db.waiting
	db.waiting = nil
	for _, f := range waiting {
		f()
	}
}

// lose makes the database what it was that long ago: a standby was promoted that
// had not received the tail, or a backup restored. The server writes a timeline
// of its own from now on, whose number is only sure to differ from that of the
// rows it has.
func (db *database) lose(tail time.Duration) (commits int) {
	db.breakOff()
	for n := len(db.log); n > 1 && db.log[n-1].at > db.w.now-tail; n-- {
		writes := db.log[n-1].writes
		if db.log[n-1].lengthens() {
			break
		}
		for i := len(writes) - 1; i >= 0; i-- {
			db.put(writes[i], 0)
		}
		db.log = db.log[:n-1]
		last := db.log[n-2]
		db.tokens, db.events, db.head = last.tokens, last.events, last.head
		commits++
	}
	db.timeline = db.cluster.timeline + 1
	db.w.check.cuts++
	return commits
}

// lengthens says whether a change made sessions live longer. Such a change is
// never lost here: a holder may trust for longer than anybody else knows of. An
// operator waits for his standbys before he makes it.
func (c change) lengthens() bool {
	for _, w := range c.writes {
		if w.table == 'c' && w.cluster[1].setting.TTL > w.cluster[0].setting.TTL {
			return true
		}
	}
	return false
}

// peersOf is coterie.peers_of.
func (db *database) peersOf(node string) []leases.Peer {
	start, _ := slices.BinarySearch(db.ring, node)
	now := db.now()
	peers := make([]leases.Peer, 0, len(db.ring))
	for i := range db.ring {
		name := db.ring[(start+i)%len(db.ring)]
		if name == node || len(peers) == 32 {
			continue
		}
		s := db.sessions[name]
		peers = append(peers, leases.Peer{
			Node: name, Incarnation: s.incarnation, Beats: s.beats, TTL: s.ttl, Expired: s.expired(now),
		})
	}
	return peers
}

// leasesFor is coterie.leases_for.
func (db *database) leasesFor(node string, incarnation int64, wants []string) *leases.Listing {
	listing := &leases.Listing{Paused: db.cluster.paused, Mark: db.mark()}
	for _, name := range db.ring {
		if s := db.sessions[name]; len(s.takes) > 0 {
			n := db.nodes[name]
			listing.Load = append(listing.Load, leases.Load{Node: name, Weight: max(1, n.weight), Tags: n.tags, Takes: s.takes, Holds: map[string]int{}})
		}
	}
	for _, l := range db.leases {
		shown := leases.Lease{Name: l.name, Class: l.class, Token: l.token, Goal: l.goal, Now: l.now, Prefer: l.prefer, Wish: l.Wish}
		if !db.held(l) {
			if l.class != "" || slices.Contains(wants, l.name) {
				listing.Free = append(listing.Free, shown)
			}
			continue
		}
		if l.node == node && l.incarnation == incarnation {
			listing.Held = append(listing.Held, shown)
		}
		for i := range listing.Load {
			switch load := &listing.Load[i]; {
			case load.Node != l.node || l.class == "":
			case l.Apart != "":
				load.Stays++
				if load.Apart == nil {
					load.Apart = map[string]int{}
				}
				load.Apart[l.Apart]++
			case l.prefer == l.node:
				load.Stays++
			default:
				load.Holds[strings.Join(append([]string{l.class}, l.Likes...), "\x1f")]++
			}
		}
	}
	return listing
}
