package leasesim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// The model stands for the functions of the real schema; what follows says the
// same to both, and compares what they answer.
func TestTheModelAnswersAsTheDatabaseDoes(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			db := sqltest.New(t)
			synctest.Test(t, func(t *testing.T) {
				p := &pair{t: t, db: db.Bubble(t), rand: rand.New(rand.NewPCG(seed, 1)), known: map[string]leases.Answer{}}
				p.begin()
				for range 400 {
					p.say()
				}
				if c := p.w.Counts; c.Claims < 20 || c.Ended < 5 || c.Eras < 5 {
					t.Errorf("too little happened to compare anything: %+v", c)
				}
			})
		})
	}
}

// pair is the model and the database, told the same.
type pair struct {
	t     *testing.T
	db    *sqltest.DB
	rand  *rand.Rand
	w     *world
	step  time.Duration // of the database's clock
	zero  int64         // the ledger's position where the model begins
	lives int64
	known map[string]leases.Answer // by node: what it heard last
	done  []string
}

func (p *pair) begin() {
	p.w = newWorld(Plan{}, someTerms[0])
	p.w.calm = true
	for _, name := range []string{"a", "b", "c"} {
		h := p.w.add(name, 0, "x")
		h.lives = []*process{{w: p.w, host: h, incarnation: -1}} // none that there is
		if name != "c" {
			n := node{weight: 1 + p.rand.IntN(3), tags: []string{"fast"}}
			p.w.db.nodes[name] = n
			p.exec(`INSERT INTO coterie.node (name, id, weight, tags) VALUES ($1, $1, $2, $3)`, name, n.weight, pq.Array(n.tags))
		}
	}
	p.exec(`INSERT INTO coterie.cluster (name, history, timeline) VALUES ('test', coterie.history(), coterie.timeline()) ON CONFLICT DO NOTHING`)
	p.exec(`INSERT INTO coterie.setting DEFAULT VALUES ON CONFLICT DO NOTHING`)
	p.exec(`SELECT setval('coterie.token_seq', 1)`) // a sequence that nobody asked yet counts like one that gave one
	p.w.db.tokens = 1
	p.get(&p.zero, `SELECT coalesce(max(id), 0) FROM coterie.event`)
	for _, name := range []string{"l1", "l2", "l3"} {
		p.exec(`SELECT coterie.lease_declare($1, 'x')`, pq.Array([]string{name}))
		p.w.db.declare(name, "x")
	}
	p.w.db.clock = clock{rate: 1000, shows: time.Duration(time.Now().UnixNano())}
}

func (p *pair) exec(query string, args ...any) {
	p.t.Helper()
	if _, err := p.db.Exec(query, args...); err != nil {
		p.fail("%s: %v", query, err)
	}
}

func (p *pair) get(into any, query string, args ...any) {
	p.t.Helper()
	if err := p.db.QueryRow(query, args...).Scan(into); err != nil {
		p.fail("%s: %v", query, err)
	}
}

func (p *pair) fail(format string, args ...any) {
	p.t.Helper()
	for _, d := range p.done {
		p.t.Log(d)
	}
	p.t.Fatalf(format, args...)
}

func (p *pair) same(what string, model, real any) {
	p.t.Helper()
	p.done = append(p.done[max(0, len(p.done)-12):], fmt.Sprintf("%v %s: %+v", p.w.now, what, model))
	if d := cmp.Diff(model, real); d != "" {
		p.fail("%s (-model +database):\n%s", what, d)
	}
}

// say says one thing to both.
func (p *pair) say() {
	passes := time.Duration(p.rand.Int64N(3000)) * time.Millisecond
	time.Sleep(passes)
	p.w.now += passes
	h := p.w.hosts[p.rand.IntN(len(p.w.hosts))]
	switch n := p.rand.IntN(100); {
	case n < 70:
		p.tick(h)
	case n < 80:
		p.birth(h)
	case n < 84:
		p.end(h)
	case n < 88:
		p.clock()
	case n < 92:
		p.terms()
	case n < 96:
		p.move()
	case n < 98:
		p.pause()
	case n < 99:
		p.wish()
	default:
		p.cut()
	}
}

func (p *pair) birth(h *host) {
	p.lives++
	former := leases.Former{Gone: p.rand.IntN(2) == 0}
	if s := p.w.db.sessions[h.name]; p.rand.IntN(4) > 0 {
		former.Incarnation, former.Beats = s.incarnation, s.beats
	}
	q := &process{w: p.w, host: h, incarnation: p.lives}
	s := &begin{process: q, former: former, mark: p.mark()}
	p.carry(s)
	var real struct {
		Began                  bool
		Incarnation, Beats     int64
		TTL, Heartbeat, Margin float64
		Mark                   int64
		Quiet                  float64
	}
	var beats any
	if !former.Gone {
		beats = former.Beats
	}
	var replaces any
	if former.Incarnation != 0 {
		replaces = former.Incarnation
	}
	row := p.db.QueryRow(`SELECT began, incarnation, beats, ttl_ms, heartbeat_ms, margin_ms, mark, quiet_ms
		FROM coterie.session_begin($1, $2, $3, $4, $5, $6)`, h.name, q.incarnation, pq.Array(h.takes), replaces, beats, int64(s.mark))
	if err := row.Scan(&real.Began, &real.Incarnation, &real.Beats, &real.TTL, &real.Heartbeat, &real.Margin, &real.Mark, &real.Quiet); err != nil {
		p.fail("session_begin: %v", err)
	}
	got := leases.Birth{
		Began: real.Began, Incarnation: real.Incarnation, Beats: real.Beats, Terms: termsOf(real.TTL, real.Heartbeat, real.Margin),
		Era: leases.Era{Mark: leases.Token(real.Mark), Quiet: milliseconds(real.Quiet)}, Now: s.answer.Now,
	}
	p.same("session_begin of "+h.name, s.answer, got)
	if real.Began {
		h.lives[0] = q
	}
}

func (p *pair) mark() leases.Token {
	if p.rand.IntN(30) == 0 {
		return p.w.db.mark() + leases.Token(p.rand.IntN(2))
	}
	return 0
}

func (p *pair) tick(h *host) {
	heard := p.known[h.name]
	r := leases.Request{
		Takes: h.takes, Seen: -1, Beats: heard.Beats - int64(p.rand.IntN(2)), TTL: someTerms[p.rand.IntN(len(someTerms))].TTL, Mark: p.mark(),
		Old: p.rand.IntN(60) == 0, Settles: p.rand.IntN(3) == 0,
	}
	if p.rand.IntN(4) == 0 {
		r.Takes, r.Seen = nil, heard.Head
	}
	for _, peer := range heard.Peers {
		if p.rand.IntN(2) == 0 {
			r.Dead = append(r.Dead, peer)
		}
	}
	if l := heard.Listing; l != nil {
		if len(l.Held) > 0 && p.rand.IntN(3) == 0 {
			held := l.Held[p.rand.IntN(len(l.Held))]
			r.Release = []leases.Release{{Name: held.Name, Token: held.Token, Cause: "release"}}
		}
		// One at a time: tokens of one statement come in no order.
		if some := slices.Concat(l.Free, l.Held); len(some) > 0 && p.rand.IntN(2) == 0 {
			r.Claim = []leases.Lease{some[p.rand.IntN(len(some))]}
		}
	}
	s := &tick{process: h.lives[0], request: r}
	p.carry(s)
	got := p.ticked(h, r)
	got.Now = s.answer.Now
	p.same(fmt.Sprintf("tick of %s, %+v", h.name, r), s.answer, got)
	p.known[h.name] = got
}

func (p *pair) ticked(h *host, r leases.Request) leases.Answer {
	var dead, released, claimed struct {
		names          []string
		numbers, beats []int64
	}
	for _, d := range r.Dead {
		dead.names, dead.numbers, dead.beats = append(dead.names, d.Node), append(dead.numbers, d.Incarnation), append(dead.beats, d.Beats)
	}
	for _, l := range r.Release {
		released.names, released.numbers = append(released.names, l.Name), append(released.numbers, int64(l.Token))
	}
	for _, l := range r.Claim {
		claimed.names, claimed.numbers = append(claimed.names, l.Name), append(claimed.numbers, int64(l.Token))
	}
	var row struct {
		Beats                  *int64
		TTL, Heartbeat, Margin float64
		Head                   int64
		Peers, Listing         []byte
	}
	takes := append([]string{}, r.Takes...)
	err := p.db.QueryRow(`SELECT beats, ttl_ms, heartbeat_ms, margin_ms, head, peers, listing
		FROM coterie.tick($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		h.name, h.lives[0].incarnation, pq.Array(takes), r.Seen+p.zero*min(r.Seen+1, 1), r.TTL.Seconds()*1000, int64(r.Mark), r.Old, r.Settles,
		pq.Array(dead.names), pq.Array(dead.numbers), pq.Array(dead.beats),
		pq.Array(released.names), pq.Array(released.numbers), pq.Array(slices.Repeat([]string{"release"}, len(released.names))),
		pq.Array(claimed.names), pq.Array(claimed.numbers), pq.Array(append([]string{}, r.Wants...)), r.Beats,
	).Scan(&row.Beats, &row.TTL, &row.Heartbeat, &row.Margin, &row.Head, &row.Peers, &row.Listing)
	if err != nil {
		p.fail("tick: %v", err)
	}
	if row.Beats == nil {
		return leases.Answer{}
	}
	a := leases.Answer{Alive: true, Beats: *row.Beats, Terms: termsOf(row.TTL, row.Heartbeat, row.Margin), Head: row.Head - p.zero, Peers: []leases.Peer{}}
	var peers []struct {
		leases.Peer
		TTL float64 `json:"ttl_ms"`
	}
	p.parse(row.Peers, &peers)
	for _, peer := range peers {
		peer.Peer.TTL = milliseconds(peer.TTL)
		a.Peers = append(a.Peers, peer.Peer)
	}
	if row.Listing != nil {
		a.Listing = &leases.Listing{}
		p.parse(row.Listing, a.Listing)
	}
	return a
}

func (p *pair) parse(doc []byte, into any) {
	if doc == nil {
		return
	}
	if err := json.Unmarshal(doc, into); err != nil {
		p.fail("%s: %v", doc, err)
	}
}

// carry lets the model carry out a statement, at once.
func (p *pair) carry(s statement) {
	t := &tx{db: p.w.db, by: s.from()}
	s.exec(t)
	t.commit()
}

func (p *pair) end(h *host) {
	p.carry(&end{process: h.lives[0]})
	p.exec(`SELECT coterie.session_end($1, $2, 'crash', 'test')`, h.name, h.lives[0].incarnation)
}

func (p *pair) clock() {
	by := []time.Duration{time.Second, -time.Second, time.Minute, -time.Minute}[p.rand.IntN(4)]
	p.step += by
	p.db.Step(p.step)
	p.w.db.turn(1000, by)
}

func (p *pair) terms() {
	t := someTerms[p.rand.IntN(len(someTerms))]
	was := p.w.db.cluster.setting
	if t == was {
		return
	}
	p.w.change(t)
	// One statement for all three, as setting_change is one for each.
	p.exec(`SELECT coterie.era_check(0)`)
	p.exec(`UPDATE coterie.setting SET session_ttl = $1, heartbeat = $2, margin = $3`, t.TTL.String(), t.Heartbeat.String(), t.Margin.String())
	p.exec(`INSERT INTO coterie.event (kind, subject) VALUES ('setting.changed', 'all')`)
}

func (p *pair) move() {
	i, to, now := p.rand.IntN(3), p.w.hosts[p.rand.IntN(3)].name, p.rand.IntN(2) == 0
	l := p.w.db.leases[i]
	if l.node == to {
		return // that only makes it preferred
	}
	head := p.w.db.head
	p.w.db.move(i, to, now, true)
	_, err := p.db.Exec(`SELECT coterie.lease_move($1, $2, $3, 'test', '')`, l.name, to, now)
	p.same(fmt.Sprintf("lease_move of %s to %s", l.name, to), p.w.db.head > head, err == nil)
}

func (p *pair) wish() {
	l := p.w.db.leases[p.rand.IntN(3)]
	wish := leases.Wish{Apart: []string{"", "twins"}[p.rand.IntN(2)]}
	for _, tag := range []string{"fast", "near"} {
		if p.rand.IntN(2) == 0 {
			wish.Likes = append(wish.Likes, tag)
		}
	}
	if !slices.Equal(wish.Likes, l.Likes) || wish.Apart != l.Apart {
		p.w.db.wish(l.name, wish)
	}
	p.exec(`SELECT coterie.lease_wish($1, $2, $3, 'test', '')`, l.name, pq.Array(wish.Likes), wish.Apart)
}

func (p *pair) pause() {
	paused := p.rand.IntN(2) == 0
	if paused != p.w.db.cluster.paused {
		p.w.db.pause(paused)
	}
	p.exec(`SELECT coterie.cluster_pause($1, 'test', '')`, paused)
}

// cut makes both find a timeline that is not that of their era.
func (p *pair) cut() {
	p.w.db.timeline++
	p.w.check.cuts++
	p.w.db.cluster.timeline = p.w.db.timeline - 1
	p.exec(`UPDATE coterie.cluster SET timeline = timeline - 1, proved_by = NULL`)
}

func termsOf(ttl, heartbeat, margin float64) leases.Terms {
	return leases.Terms{TTL: milliseconds(ttl), Heartbeat: milliseconds(heartbeat), Margin: milliseconds(margin)}
}

func milliseconds(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }
