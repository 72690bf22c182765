package leasesim

import (
	"slices"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// statement is a call of one function, from one process.
type statement interface {
	from() *process
	waitsFor(db *database) *tx
	exec(t *tx)
}

// write is a row before and after a transaction.
type write struct {
	row
	session [2]session
	lease   [2]lease
	cluster [2]cluster
}

// tx is a transaction of one statement. Its writes are in sight of itself while
// it executes, hidden behind locks until it commits, and in sight of all then.
type tx struct {
	db      *database
	by      *process
	writes  []write
	shares  []int // leases that an application asserted
	last    int64 // highest event that it appended
	wakes   bool  // it sends a hint
	claimed []claimed
	ended   []ended
	eras    int // that it began
	waiters []func()
	over    bool
}

// claimed and ended are for the checker, when the transaction commits.
type claimed struct {
	before lease
	after  lease
}

type ended struct {
	node        string
	incarnation int64
	proof       bool // its process is known to be gone, or ends it itself
}

// submit brings a statement to the server on a connection that was made before
// all broke for that many times. The answer goes to reply.
func (db *database) submit(broke int, s statement, reply func(ok bool)) {
	switch {
	case db.down || broke != db.broke:
		reply(false)
		return
	case db.frozen:
		db.waiting = append(db.waiting, func() { db.submit(broke, s, reply) })
		return
	}
	if holder := s.waitsFor(db); holder != nil {
		holder.waiters = append(holder.waiters, func() { db.submit(broke, s, reply) })
		return
	}
	t := &tx{db: db, by: s.from()}
	s.exec(t)
	takes := db.w.commitTakes()
	if takes == 0 && db.w.trapped(s.from(), executed) >= 0 {
		takes = time.Millisecond
	}
	if takes == 0 {
		t.commit()
		reply(true)
		return
	}
	t.hide()
	db.w.point(s.from(), executed)
	db.w.after(takes, func() {
		if t.over {
			reply(false) // the server broke off
			return
		}
		t.unlock()
		for _, w := range t.writes {
			db.put(w, 1)
		}
		t.commit()
		reply(broke == db.broke)
	})
}

// hide takes the writes out of sight and locks their rows.
func (t *tx) hide() {
	for i := len(t.writes) - 1; i >= 0; i-- {
		t.db.put(t.writes[i], 0)
	}
	for _, w := range t.writes {
		t.db.locks[w.row] = t
	}
	t.db.pending = append(t.db.pending, t)
}

func (t *tx) unlock() {
	t.over = true
	for _, w := range t.writes {
		delete(t.db.locks, w.row)
	}
	if i := slices.Index(t.db.pending, t); i >= 0 {
		t.db.pending = slices.Delete(t.db.pending, i, i+1)
	}
	for _, f := range t.waiters {
		t.db.w.after(0, f)
	}
	t.waiters = nil
}

// commit makes what is in sight last, and tells whoever listens.
func (t *tx) commit() {
	db := t.db
	t.over = true
	db.head = max(db.head, t.last)
	if len(t.writes) > 0 {
		db.log = append(db.log, change{db.w.now, t.writes, db.tokens, db.events, db.head})
	}
	t.tell()
	db.w.check.committed(t)
	if t.wakes {
		db.w.hint()
	}
}

// tell adds what was committed to the trace.
func (t *tx) tell() {
	for _, e := range t.ended {
		t.db.w.note("ends the session of "+e.node, t.by, "", e.incarnation)
	}
	for _, c := range t.claimed {
		t.db.w.note("is given", t.by, c.after.name, int64(c.after.token))
	}
	for _, w := range t.writes {
		if w.table == 'c' {
			t.db.w.note("changes the cluster", t.by, "", w.cluster[1].era)
			if t.db.w.plan.Trace != nil {
				t.db.w.say(t.by, "%+v", w.cluster[1])
			}
		}
	}
}

func (db *database) put(w write, version int) {
	switch w.table {
	case 's':
		db.setSession(w.node, w.session[version])
	case 'l':
		db.leases[w.row.lease] = w.lease[version]
	case 'c':
		db.cluster = w.cluster[version]
	}
}

func (t *tx) setSession(node string, s session) {
	w := write{row: row{table: 's', node: node}}
	w.session = [2]session{t.db.sessions[node], s}
	t.writes = append(t.writes, w)
	t.db.setSession(node, s)
}

func (t *tx) setLease(i int, l lease) {
	w := write{row: row{table: 'l', lease: i}}
	w.lease = [2]lease{t.db.leases[i], l}
	t.writes = append(t.writes, w)
	t.db.leases[i] = l
}

func (t *tx) setCluster(c cluster) {
	w := write{row: row{table: 'c'}}
	w.cluster = [2]cluster{t.db.cluster, c}
	t.writes = append(t.writes, w)
	t.db.cluster = c
}

// event appends to the ledger. Its number is taken now and seen by others at
// commit; whoever listens is woken unless the event gives nobody anything to do.
func (t *tx) event(wakes bool) {
	t.db.events++
	t.last = t.db.events
	t.wakes = t.wakes || wakes
}

// skips says whether a lease's row is locked by somebody: tick waits for nobody.
func (db *database) skips(lease int) bool {
	if db.locks[row{table: 'l', lease: lease}] != nil {
		return true
	}
	for _, p := range db.pending {
		if slices.Contains(p.shares, lease) {
			return true
		}
	}
	return false
}

func (t *tx) nextToken() leases.Token {
	t.db.tokens++
	return leases.Token(t.db.cluster.era<<40 + t.db.tokens)
}

// settles says whether by this clock, too, the era has lasted for as long as
// anybody may trust in the one before. A beginning in the future is a clock that
// was set back: it says nothing.
func (c cluster) settles(now time.Duration) bool {
	return !c.settled && (now < c.since || now >= c.since+c.quiet)
}
