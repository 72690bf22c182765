package mutants

import mutation "github.com/coterie-ha/coterie/test/mutants"

// mutant is a bug: an edit of one file, and what it stands for.
type mutant struct {
	name     string
	like     string // where that bug was met, or what it breaks
	file     string
	old, new string
}

func (m mutant) as() mutation.Mutant {
	return mutation.New(m.name, m.like, mutation.Change(m.file, m.old, m.new))
}

const (
	step      = "leases/step.go"
	grants    = "leases/grants.go"
	request   = "leases/request.go"
	balance   = "leases/balance.go"
	wish      = "leases/wish.go"
	beginning = "leases/begin.go"
	terms     = "leases/terms.go"
	functions = "leases/leasesim/functions.go"
	tx        = "leases/leasesim/tx.go"
	asserting = "leases/leasesim/holder.go"
)

var mutants = []mutant{
	// How long a holder trusts.
	{"trust counted from the answer", "pglock: a heartbeat may block for the lease's duration, and counts from its end", step,
		"s.trust = e.Began + e.Terms.Trust()", "s.trust = now + e.Terms.Trust()"},
	{"no margin", "client-go: safe only while clock rates differ by less than LeaseDuration/RenewDeadline", terms,
		"return t.TTL - t.Margin", "return t.TTL"},
	{"trust extended by a failed attempt", "kubernetes #44887: renewed again after a failed renewal", step,
		"		s.due = now + s.Terms.Heartbeat/3", "		s.trust = now + s.Terms.Trust()\n		s.due = now + s.Terms.Heartbeat/3"},
	{"distrust forgotten", "Quartz #847: the work went on after the check-in was lost", step,
		"if now < s.trust && !s.ended {", "if !s.ended {"},
	{"end of the session ignored", "River PR #199: past leaders believed that they had won", step,
		"		s.ended = true\n		return nil", "		return nil"},
	{"no look while the host may sleep", "robfig/cron, chenhg5/cc-connect #1808: timers do not see suspend", request,
		"wake = min(wake, s.trust, now+s.Terms.Margin/4)", "wake = min(wake, s.trust)"},
	{"shorter time to live written at once", "found here: the row's time to live was shorter than its node knew", functions,
		"ttl := max(terms.TTL, r.TTL)", "ttl := terms.TTL"},
	{"time to live shortened by a heartbeat that was overtaken", "found here: after 1,900 simulated hours, by a request that was late", functions,
		"if me.beats != r.Beats {", "if false {"},
	{"longer of two trusts kept", "found here: the node told that it knew the shorter time to live, and went by the longer", step,
		"s.trust = e.Began + e.Terms.Trust()", "s.trust = max(s.trust, e.Began+e.Terms.Trust())"},

	// When others may end a session.
	{"watch counted from sending", "Gray and Cheriton 1989: a grant counts from the answer for whoever waits for its end", step,
		"s.watch(now, e.Peers)", "s.watch(e.Began, e.Peers)"},
	{"watch ignores beats", "quartznet #683: a live node was declared dead", step,
		"w.Incarnation != p.Incarnation || w.Beats != p.Beats {", "w.Incarnation != p.Incarnation {"},
	{"watch ignores incarnation", "ABA: a successor taken for the one that stood still", step,
		"if !ok || w.Incarnation != p.Incarnation || w.Beats != p.Beats {", "if !ok || w.Beats != p.Beats {"},
	{"own clock not required", "ShedLock #231, db-scheduler #433: one clock decides, and it jumps", request,
		"now-w.since >= w.TTL {\n			r.Dead", "w.Expired || now-w.since >= w.TTL {\n			r.Dead"},
	{"database's clock not required", "client-go #448: the observer's clock alone decides", functions,
		"d.beats == w.Beats && d.expired(db.now()) &&", "d.beats == w.Beats &&"},
	{"ending without comparing beats", "db-scheduler: a revived execution is declared dead", functions,
		"d.incarnation == w.Incarnation && d.beats == w.Beats && d.expired", "d.incarnation == w.Incarnation && d.expired"},
	{"former life replaced by one clock", "found here: a jump of the database's clock let a second process of one name in", beginning,
		"case now-b.seen.since >= b.seen.TTL:", "case true:"},
	{"former life taken for gone", "a copied machine: two hosts with one name", beginning,
		"return Former{Incarnation: b.seen.Incarnation, Beats: b.seen.Beats}", "return Former{Incarnation: b.seen.Incarnation, Gone: true}"},
	{"renewal without comparing incarnations", "River reelect: a former life renews the session of its successor", functions,
		"if me.incarnation != p.incarnation {\n		s.answer.Now", "if me.incarnation == 0 {\n		s.answer.Now"},
	{"last will for whoever has the name", "River PR #1540: a late word of the dead hits the living", functions,
		"if t.db.sessions[s.process.host.name].incarnation == s.process.incarnation {", "if t.db.sessions[s.process.host.name].incarnation != 0 {"},

	// Who holds a lease, and under which token.
	{"claim without comparing tokens", "etcd 3.4.3: what was free when asked is taken though things went on", functions,
		"before.token != c.Token || !mine && t.db.held(before)", "!mine && t.db.held(before)"},
	{"claim of what is held", "Quartz #29, #107: acquired without asking again under the lock", functions,
		"before.token != c.Token || !mine && t.db.held(before)", "before.token != c.Token && !mine"},
	{"release without token", "ShedLock: unlock by host name releases another's lock", functions,
		"if l.token != r.Token || l.node != p.host.name || l.incarnation != p.incarnation {", "if l.node == \"\" {"},
	{"retaken with the old token", "no fencing: a new holder that cannot be told from the old", functions,
		"	t.setLease(i, after)\n	t.event(false)", "	if mine {\n		after.token = before.token\n	}\n	t.setLease(i, after)\n	t.event(false)"},
	{"holder begun before its predecessor returned", "cilium PR #42920: the callback had not stopped when the next began", grants,
		"		if ok {\n			g.class", "		if ok && g.phase != ending {\n			g.class"},
	{"given back before the holder returned", "db-scheduler #365: the heartbeat stopped before the work", grants,
		"	g.phase = ending\n", "	g.phase = returned\n"},
	{"yielded before the holder is idle", "gocron: unlocked while the job runs", grants,
		"g.phase, g.cause = yielding, cause", "g.phase, g.cause = returned, cause"},
	{"left before holders returned", "Quartz: shutdown without waiting for jobs", step,
		"		if g.phase != returned {\n			return false", "		if g.phase < ending {\n			return false"},
	{"assertion without token", "Kleppmann 2016: a lease that is not checked with its number", asserting,
		"live := l.token == h.token && db.held(l)", "live := db.held(l)"},
	{"assertion without lock", "check, then act: the lease moves between assertion and commit", asserting,
		"shares: []int{i}}", "shares: nil}"},
	{"assertion lock not respected", "the same, from the other side", functions,
		"	if i < 0 || t.db.skips(i) {\n		return\n	}\n	before", "	if i < 0 {\n		return\n	}\n	before"},

	// A database that lost its tail.
	{"era dropped", "every lease in a row: an asynchronous promotion gives fencing epochs twice", functions,
		"	if t.db.cut(mark) {\n", "	if false {\n"},
	{"mark dropped", "two standbys promoted from one point: two eras with one number", functions,
		"db.cluster.timeline != db.timeline || mark > db.mark()", "db.cluster.timeline != db.timeline"},
	{"no quiet in a young era", "River: another leader 84 ms after a crash lost the leader's row", step,
		"s.quiet = seen + era.Quiet", "s.quiet = seen"},
	{"young era settled by the database's clock", "found here: a jump of that clock right after a promotion", functions,
		"r.Settles && c.settles(db.now())", "c.settles(db.now())"},
	{"quiet by the terms of the day", "found here: the time to live had been longer a moment ago", functions,
		"		c.quiet = max(c.quiet, s.ttl)\n", "		_ = s\n"},
	{"quiet forgets the era before the last", "found here: a second cut before the first was over", functions,
		"	if c.settled {\n		c.quiet = 0", "	if true {\n		c.quiet = 0"},

	// Nothing is forgotten, nothing spins.
	{"refused claims asked again at once", "found here: a heartbeat per round trip while an application holds the row", grants,
		"return t.at != nil && now < *t.at+heartbeat", "return false"},
	{"failed heartbeats repeated at once", "reconnect storms: a database that comes back is overrun", step,
		"s.due = now + s.Terms.Heartbeat/3", "s.due = now"},
	{"balance waits for leases that nobody takes", "found here: one free lease of a user stopped all balance", balance,
		"s.paused || len(s.deal()) > 0 {", "s.paused || len(s.free) > 0 {"},
	{"clock set back keeps the dead", "found here: no take-over for as long as the clock was set back", functions,
		"return s.expires < now || s.expires > now+s.ttl }", "return s.expires < now }"},
	{"dead left to others", "db-scheduler #565: the node dies, and its job never runs again", request,
		"now-w.since >= w.TTL {\n			r.Dead", "now-w.since >= 100*w.TTL {\n			r.Dead"},
	{"what stays with a node counted on", "found here: the fullest node keeps what an operator gave it, and nobody else gives", balance,
		"	n := l.Stays\n", "	n := 0\n"},
	{"what is on its way counted again", "found here: another lease moved in its stead, and back", balance,
		"case g.phase > holding && !g.retry:", "case false:"},
	{"weights not counted", "a node twice as strong is given as much as the others", balance,
		"return float64(n) / float64(max(1, l.Weight))", "return float64(n)"},
	{"tags not looked at once it is held", "kubernetes: preferences of nodes are ignored during execution", wish,
		"case suits > mine:", "case false:"},
	{"a group left together", "kubernetes: anti-affinity is ignored during execution, too", wish,
		"if apart[g.Apart] > least+1 {", "if false {"},
	{"list asked for only when the ledger moved", "River PR #1564: what happened while nobody listened is never learned", request,
		"if s.stale || s.open() {\n\t\tr.Seen = listNow\n\t} else if s.beat%listEvery == 0 || s.moved && !s.crowd() {", "if false {"},
}
