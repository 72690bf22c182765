package leasesim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// Plan is what to simulate. The seed decides everything else: the same plan
// gives the same outcome, event for event.
type Plan struct {
	Seed       uint64
	Length     time.Duration
	Duplicates bool      // statements may be carried out twice, as database/sql would let them
	Trace      io.Writer // every step, for whoever reads a failure; nil: none
}

// world is a cluster in simulated time.
type world struct {
	Counts
	plan  Plan
	rand  *rand.Rand
	now   time.Duration // real time since the beginning
	queue queue
	db    *database
	hosts []*host
	check *checker

	mixed    bool          // nodes and leases are not all alike
	picky    bool          // nodes have weights and tags, leases have wishes
	calm     bool          // no faults now, and holders behave
	settled  time.Duration // when the last thing arrives that a fault delayed
	survived bool          // some node lived through the last storm
	worst    leases.Terms  // the longest times that were in force since the world was calm
	scant    time.Duration // the shortest margin since then
	stalls   time.Duration // commits may take that long
	mark     leases.Token  // the highest token that any node knows of, kept on the share
	liar     liar
	ends     time.Duration // the storm
	kinds    []fault       // of this storm
	traps    []trap
	lost     []func() // resets the connection of a call whose request or answer was lost
	faults   map[string]int
	lives    int64
	digest   uint64
}

func newWorld(plan Plan, terms leases.Terms) *world {
	w := &world{
		plan: plan, rand: rand.New(rand.NewPCG(plan.Seed, 0x636f7465726965)), // "coterie"
		calm: true, worst: terms, scant: terms.Margin, faults: map[string]int{}, digest: 14695981039346656037,
	}
	w.check = newChecker(w)
	w.db = newDatabase(w, terms)
	return w
}

// add adds a host whose clock deviates by that many per mille.
func (w *world) add(name string, drift int64, takes ...string) *host {
	h := &host{w: w, name: name, takes: takes, rate: 1000 + drift}
	h.clock = clock{rate: h.rate, shows: time.Duration(w.rand.Int64N(int64(24 * time.Hour)))}
	w.hosts = append(w.hosts, h)
	return h
}

func (w *world) after(d time.Duration, do func()) { w.queue.push(w.now+d, do) }

// run lets time pass.
func (w *world) run(d time.Duration) {
	end := w.now + max(d, 0)
	for len(w.queue.events) > 0 && w.queue.events[0].at <= end && w.check.fine() {
		e := w.queue.pop()
		w.now = e.at
		w.Events++
		e.do()
	}
	w.now = end
}

// note adds a step to the digest, which two runs of one plan share, and to the trace.
func (w *world) note(what string, p *process, lease string, n int64) {
	h := w.digest
	h = (h ^ uint64(w.now)) * 1099511628211
	for i := range len(what) {
		h = (h ^ uint64(what[i])) * 1099511628211
	}
	h = (h ^ uint64(n)) * 1099511628211
	w.digest = h
	if w.plan.Trace == nil {
		return
	}
	fmt.Fprintf(w.plan.Trace, "%14.6fs %-8s %s %s %d\n", w.now.Seconds(), p, what, lease, n)
}

// say adds to the trace alone.
func (w *world) say(p *process, format string, args ...any) {
	if w.plan.Trace != nil {
		fmt.Fprintf(w.plan.Trace, "%14.6fs %-8s   %s\n", w.now.Seconds(), p, fmt.Sprintf(format, args...))
	}
}

func (p *process) String() string {
	if p == nil {
		return "-"
	}
	return fmt.Sprintf("%s/%d", p.host.name, p.incarnation)
}

func (w *world) perMille(n int) bool { return n > 0 && w.rand.IntN(1000) < n }

func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rand.Int64N(int64(most-least)+1))
}

// hint is the notification that a committed event sends.
func (w *world) hint() {
	for _, h := range w.hosts {
		p := h.node()
		if p == nil || h.link.noHints || h.link.mute || h.link.deaf || h.link.refuses {
			continue
		}
		w.after(w.between(100*time.Microsecond, 2*time.Millisecond)+h.link.slow, func() {
			if len(p.ready[fromHolders]) < 64 { // as Session.in, which drops what does not fit
				p.deliver(fromHolders, func() {
					p.allowed++
					p.step(leases.Hinted{})
				})
			}
		})
	}
}

// commitTakes is how long a transaction stays hidden before it commits.
func (w *world) commitTakes() time.Duration {
	switch n := w.rand.IntN(100); {
	case n < 90:
		return 0
	case n < 98 || w.stalls == 0:
		return w.between(100*time.Microsecond, 5*time.Millisecond)
	}
	w.faults["commit stalls"]++
	d := w.between(0, w.stalls)
	w.settled = max(w.settled, w.now+d)
	return d
}

// idles is how long a holder takes to become idle when it is to yield.
func (w *world) idles() time.Duration {
	if !w.calm && w.perMille(200) {
		w.faults["holder does not yield"]++
		return w.between(0, 5*time.Minute)
	}
	return w.between(0, 2*time.Second)
}

// stops is how long a holder takes to return once its context has ended.
func (w *world) stops() time.Duration {
	if !w.calm && w.perMille(100) {
		w.faults["holder stops late"]++
		return w.between(0, 3*w.worst.TTL)
	}
	return w.between(0, 20*time.Millisecond)
}

// finishes is when a holder returns by itself; 0: never.
func (w *world) finishes() time.Duration {
	if w.calm || !w.perMille(100) {
		return 0
	}
	w.faults["holder returns by itself"]++
	return w.between(0, 20*time.Second)
}

func (w *world) asserts() time.Duration { return w.between(time.Second, 12*time.Second) }

// transactionTakes is how long an application sits in a transaction after it
// asserted a lease.
func (w *world) transactionTakes() time.Duration {
	if w.calm || !w.perMille(50) {
		return w.between(0, 20*time.Millisecond)
	}
	w.faults["application sits in a transaction"]++
	d := w.between(0, 20*time.Second)
	w.settled = max(w.settled, w.now+d)
	return d
}

// moment is a point in the course of a heartbeat at which a trap may wait.
type moment int

const (
	beginning  moment = iota // an attempt to begin a session is about to be sent
	beating                  // a heartbeat is built and about to be sent
	claiming                 // so is one that claims
	releasing                // so is one that gives back
	endingDead               // so is one that ends dead sessions
	executed                 // the database carried a statement out, and has not committed it
	answered                 // an answer is there, and not yet read
	holding                  // a holder has begun
	ending                   // a holder's context has ended
	moments
)

// trap springs a fault when some node comes to a moment.
type trap struct {
	at   moment
	host *host // nil: whoever comes first
	skip int   // how many times to let pass
	do   func(p *process)
}

func (w *world) trap(at moment, h *host, skip int, do func(p *process)) {
	if !w.calm {
		w.faults["trap laid"]++
		w.traps = append(w.traps, trap{at, h, skip, do})
	}
}

// point is reached by a process.
func (w *world) point(p *process, m moment) {
	i := w.trapped(p, m)
	if i < 0 {
		return
	}
	t := w.traps[i]
	if w.traps[i].skip--; t.skip > 0 {
		return
	}
	w.traps = slices.Delete(w.traps, i, i+1)
	w.faults["trap sprung"]++
	t.do(p)
}

// trapped is the trap that waits for a process at a moment, or -1.
func (w *world) trapped(p *process, m moment) int {
	if p == nil || p.gone {
		return -1
	}
	return slices.IndexFunc(w.traps, func(t trap) bool { return t.at == m && (t.host == nil || t.host == p.host) })
}
