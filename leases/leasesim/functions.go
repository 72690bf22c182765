package leasesim

import (
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// What follows are the functions of sql/schema/functions, clause by clause.

// tick is coterie.tick.
type tick struct {
	process *process
	request leases.Request
	answer  leases.Answer
}

func (s *tick) from() *process { return s.process }

func (s *tick) waitsFor(db *database) *tx {
	return db.holder(s.process.host.name, s.request.Mark, s.request.Old)
}

func (s *tick) exec(t *tx) {
	db, p, r := t.db, s.process, s.request
	s.answer = leases.Answer{}
	t.eraCheck(r.Mark)
	if r.Old {
		t.eraStep(r.Mark.Era())
	}
	terms := db.cluster.setting

	// Renew me, while this very life of mine is still there.
	me := db.sessions[p.host.name]
	if me.incarnation != p.incarnation {
		s.answer.Now = wall(db.now())
		return
	}
	ttl := max(terms.TTL, r.TTL)
	if me.beats != r.Beats {
		ttl = max(ttl, me.ttl)
	}
	me.beats++
	me.ttl, me.takes = ttl, r.Takes
	me.expires = db.now() + me.ttl
	t.setSession(p.host.name, me)

	// End the dead: expired by this clock, and unchanged since the caller watched them by its own.
	for _, w := range r.Dead {
		d := db.sessions[w.Node]
		if d.incarnation == w.Incarnation && d.beats == w.Beats && d.expired(db.now()) &&
			w.Node != p.host.name && db.locks[row{table: 's', node: w.Node}] == nil {
			t.endSession(w.Node, false)
		}
	}
	for _, l := range r.Release {
		t.release(p, l)
	}
	if c := db.cluster; r.Settles && c.settles(db.now()) && db.locks[row{table: 'c'}] == nil {
		c.settled = true
		t.setCluster(c)
		t.event(true)
	}
	if db.cluster.settled {
		for _, l := range r.Claim {
			t.claim(p, l)
		}
	}
	s.answer = leases.Answer{
		Alive: true, Now: wall(db.now()), Beats: me.beats, Terms: terms,
		Head: max(db.head, t.last), Peers: db.peersOf(p.host.name),
	}
	if s.answer.Head != r.Seen {
		s.answer.Listing = db.leasesFor(p.host.name, p.incarnation, r.Wants)
	}
}

// expired: past its time, or so far ahead of it that the clock was set back.
func (s session) expired(now time.Duration) bool { return s.expires < now || s.expires > now+s.ttl }

func wall(t time.Duration) time.Time { return time.Unix(0, int64(t)) }

// endSession deletes a session and frees its leases, but for rows that are
// locked: without their session they are free all the same.
func (t *tx) endSession(node string, proof bool) {
	gone := t.db.sessions[node]
	t.setSession(node, session{})
	for i, l := range t.db.leases {
		if l.node != node || l.incarnation != gone.incarnation {
			continue
		}
		if !proof {
			t.db.w.check.crashed[l.name] = true
		}
		if !t.db.skips(i) {
			l.node, l.incarnation = "", 0
			t.setLease(i, l)
		}
	}
	t.event(true)
	t.ended = append(t.ended, ended{node, gone.incarnation, proof})
}

func (t *tx) release(p *process, r leases.Release) {
	i := t.db.find(r.Name)
	if i < 0 || t.db.skips(i) {
		return
	}
	l := t.db.leases[i]
	if l.token != r.Token || l.node != p.host.name || l.incarnation != p.incarnation {
		return
	}
	l.node, l.incarnation = "", 0
	t.setLease(i, l)
	t.event(true)
}

func (t *tx) claim(p *process, c leases.Lease) {
	i := t.db.find(c.Name)
	if i < 0 || t.db.skips(i) {
		return
	}
	before := t.db.leases[i]
	mine := before.node == p.host.name && before.incarnation == p.incarnation
	if before.token != c.Token || !mine && t.db.held(before) {
		return
	}
	after := before
	after.node, after.incarnation, after.token = p.host.name, p.incarnation, t.nextToken()
	after.goal, after.now = "", false
	t.setLease(i, after)
	t.event(false)
	t.claimed = append(t.claimed, claimed{before, after})
}

// begin is coterie.session_begin.
type begin struct {
	process *process
	former  leases.Former
	mark    leases.Token
	answer  leases.Birth
}

func (s *begin) from() *process { return s.process }

// waitsFor: a life that begins beside the step into a new era would belong to neither.
func (s *begin) waitsFor(db *database) *tx {
	if t := db.locks[row{table: 'c'}]; t != nil {
		return t
	}
	return db.holder(s.process.host.name, s.mark, false)
}

func (s *begin) exec(t *tx) {
	db, p, f := t.db, s.process, s.former
	t.eraCheck(s.mark)
	terms := db.cluster.setting
	old := db.sessions[p.host.name]
	if old.incarnation != 0 && old.incarnation == f.Incarnation && old.incarnation != p.incarnation &&
		(f.Gone || old.beats == f.Beats && old.expired(db.now())) {
		t.endSession(p.host.name, f.Gone)
	}
	if db.sessions[p.host.name].incarnation == 0 {
		t.setSession(p.host.name, session{
			incarnation: p.incarnation, ttl: terms.TTL, expires: db.now() + terms.TTL, takes: p.host.taking(),
		})
		t.event(true)
	}
	me := db.sessions[p.host.name]
	terms.TTL = me.ttl
	s.answer = leases.Birth{
		Began: me.incarnation == p.incarnation, Incarnation: me.incarnation, Beats: me.beats,
		Terms: terms, Now: wall(db.now()),
		Era: leases.Era{Mark: db.mark()},
	}
	if !db.cluster.settled {
		s.answer.Era.Quiet = db.cluster.quiet
	}
}

// end is coterie.session_end.
type end struct {
	process *process
}

func (s *end) from() *process { return s.process }

func (s *end) waitsFor(db *database) *tx { return db.holder(s.process.host.name, 0, false) }

func (s *end) exec(t *tx) {
	if t.db.sessions[s.process.host.name].incarnation == s.process.incarnation {
		t.endSession(s.process.host.name, true)
	}
}

// holder is the transaction that a statement of a node waits for: the one that
// has its session's row, or any if it begins an era, for that takes all rows.
func (db *database) holder(node string, mark leases.Token, old bool) *tx {
	if old || db.cut(mark) {
		for _, t := range db.pending {
			if len(t.writes) > 0 {
				return t
			}
		}
	}
	return db.locks[row{table: 's', node: node}]
}

// cut says whether the rows are not, or no longer, of the era that they belong to.
func (db *database) cut(mark leases.Token) bool {
	return db.cluster.timeline != db.timeline || mark > db.mark()
}

// mark is the highest token so far.
func (db *database) mark() leases.Token { return leases.Token(db.cluster.era<<40 + db.tokens) }

// eraCheck is coterie.era_check.
func (t *tx) eraCheck(mark leases.Token) {
	if t.db.cut(mark) {
		t.eraStep(mark.Era())
	}
}

// eraStep is coterie.era_step.
func (t *tx) eraStep(above int64) {
	db := t.db
	c := db.cluster
	if c.era > above && c.timeline == db.timeline {
		return
	}
	c.era, c.since, c.timeline = max(c.era, above)+1, db.now(), db.timeline
	if c.settled {
		c.quiet = 0 // else somebody may still trust in the era before the last
	}
	c.quiet, c.settled = max(c.quiet, c.setting.TTL), false
	for _, s := range db.sessions {
		c.quiet = max(c.quiet, s.ttl)
	}
	t.setCluster(c)
	db.w.worst.TTL = max(db.w.worst.TTL, c.quiet)
	// Two eras with one number, of two histories: their tokens must not meet.
	db.tokens += 1000 + int64(db.now()/time.Millisecond)%(1<<24)
	db.w.settled = max(db.w.settled, db.w.now)
	for i, l := range db.leases {
		if l.node != "" && !t.db.skips(i) {
			l.node, l.incarnation = "", 0
			t.setLease(i, l)
		}
	}
	for len(db.ring) > 0 {
		t.setSession(db.ring[0], session{})
	}
	t.event(true)
	t.eras++
}
