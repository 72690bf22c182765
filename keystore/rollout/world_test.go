package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
)

// half is what a file has while somebody writes it in place. Nobody does.
const half = -1

// host is a node with its disk and its server, which outlive the agent.
type host struct {
	name       string
	alone      bool
	file       int64 // version under the live name; 0: what was there before any
	saved      bool  // what was there before any is kept
	served     int64 // what the server shows; -2: it is down
	restarting int64 // rollout in which it is being restarted; 0: it is not
	bad        map[int64]bool
	wont       map[int64]bool // it votes against

	incarnation int64 // 0: no session
	next        func() (struct{}, bool)
	stop        func()
	read        map[string]int64 // who lived when it read the rows last
}

const down = -2

// world is the database and the hosts.
type world struct {
	t       *testing.T
	dice    *rand.Rand
	hosts   []*host
	states  map[int64]string
	votes   map[string]map[int64]Vote // by node and life
	reports map[string]*Report
	told    map[string]int64 // life in which that was reported
	rollout *Rollout
	idle    int // steps in which nothing moved in the rollout
	lives   int64
	newest  int64
	active  int64
	ids     int64
	open    map[int64]bool // versions that some canary has shown
	wrong   []string
	mutant  string
	outcome map[Phase]int
}

func (w *world) accuse(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *world) view() View {
	v := View{Active: w.active}
	if w.newest > 0 && w.states[w.newest] == "staged" {
		v.Staged = w.newest
	}
	if w.rollout != nil {
		r := *w.rollout
		r.Overdue = w.idle > 400
		v.Rollout = &r
	}
	for _, h := range w.hosts {
		if h.incarnation == 0 {
			continue
		}
		m := Member{Node: h.name}
		for _, vote := range w.votes[fmt.Sprint(h.name, h.incarnation)] {
			m.Votes = append(m.Votes, vote)
		}
		if r := w.reports[h.name]; r != nil {
			said := *r
			m.Report, m.Fresh = &said, w.told[h.name] == h.incarnation || w.mutant == "what a former life said is gone by"
		}
		v.Members = append(v.Members, m)
	}
	slices.SortFunc(v.Members, func(a, b Member) int { return cmp.Compare(w.life(a.Node), w.life(b.Node)) })
	return v
}

func (w *world) life(node string) int64 { return w.living()[node] }

func (w *world) living() map[string]int64 {
	lives := map[string]int64{}
	for _, h := range w.hosts {
		lives[h.name] = h.incarnation
	}
	return lives
}

func (w *world) moved(r *Rollout) {
	if r != nil {
		r.Turn++
		w.idle = 0
	}
}

// turn is coterie.keystore_turn.
func (w *world) turn(by *host, seen Rollout, t Turn) {
	r := w.rollout
	if r == nil || r.ID != seen.ID || r.Turn != seen.Turn && w.mutant != "the turn is not looked at" {
		return
	}
	if w.mutant == "the turn is not looked at" && r.Phase != seen.Phase {
		return
	}
	w.moved(r)
	r.Phase = t.To
	if t.Canary != "" {
		r.Canary = t.Canary
	}
	if t.To == Rest {
		w.open[r.Version] = true
	}
	if r.Phase.Open() {
		return
	}
	w.outcome[r.Phase]++
	switch r.Phase {
	case Done:
		for _, h := range w.hosts {
			// Who begins a life after the rows were read has yet to become ready.
			if h.incarnation != 0 && by.read[h.name] == h.incarnation && h.file != r.Version {
				w.accuse("version %d became active, and %s has %d", r.Version, h.name, h.file)
			}
		}
		if w.active != 0 {
			w.states[w.active] = "retired"
		}
		w.active, w.states[r.Version] = r.Version, "active"
	default:
		if w.states[r.Version] == "staged" {
			w.states[r.Version] = "rejected"
		}
	}
	w.rollout = nil
}

// live is one life of an agent; it may be killed wherever it pauses.
func (w *world) live(h *host) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		w.lives++
		h.incarnation = w.lives
		dead := errors.New("killed")
		pause := func() {
			if !yield(struct{}{}) {
				panic(dead)
			}
		}
		defer func() {
			if r := recover(); r != nil && r != any(dead) {
				panic(r)
			}
		}()
		k := &Keeper{Node: h.name, Serves: true, Hands: w.hands(h, pause)}
		for n := 0; ; n++ {
			pause()
			v := w.view()
			h.read = w.living()
			pause()
			more, _ := k.Round(context.Background(), v)
			if !more && n%7 == 0 {
				k.Retry()
			}
		}
	}
}

func (w *world) hands(h *host, pause func()) Hands {
	life := func() bool { return h.incarnation != 0 }
	return Hands{
		Look: func(_ context.Context, version int64) Vote {
			pause()
			return Vote{Version: version, OK: !h.wont[version], Serves: true, Alone: h.alone && w.mutant != "two are restarted at once"}
		},
		Seen: func(_ context.Context, have int64) Report { return w.seen(h, have) },
		Put:  func(_ context.Context, p Putting) error { return w.put(h, p, pause) },
		Vote: func(_ context.Context, v Vote) error {
			pause()
			id := fmt.Sprint(h.name, h.incarnation)
			if !life() {
				return nil
			}
			if w.votes[id] == nil {
				w.votes[id] = map[int64]Vote{}
			}
			w.votes[id][v.Version] = v
			if w.rollout != nil && w.rollout.Version == v.Version {
				w.moved(w.rollout)
			}
			return nil
		},
		Report: func(_ context.Context, r Report) error {
			pause()
			w.reports[h.name], w.told[h.name] = &r, h.incarnation
			if w.rollout != nil && w.mutant != "a report does not move the turn" {
				w.moved(w.rollout)
			}
			return nil
		},
		Turn: func(_ context.Context, r Rollout, t Turn) error {
			pause()
			w.turn(h, r, t)
			return nil
		},
	}
}

func (w *world) seen(h *host, have int64) Report {
	r := Report{Version: h.file, State: Drifted}
	if h.served != down {
		r.Served = fmt.Sprint("cert", h.served)
	}
	if have == 0 && !h.saved || have != 0 && h.file == have && h.served == have {
		r.State = Proved
	}
	return r
}

func (w *world) put(h *host, p Putting, pause func()) error {
	pause()
	was := h.file
	if r := w.rollout; p.Forward && r != nil && r.Version == p.Version && h.name != r.Canary && !w.open[p.Version] {
		w.accuse("%s puts version %d in place before a canary showed it", h.name, p.Version)
	}
	if p.First && p.Version != 0 {
		h.saved = true
		pause()
	}
	h.file = p.Version
	pause()
	// Nobody waits longer for one that is slow than the patience of its rollout.
	if r := w.rollout; h.alone && p.Forward && r != nil && r.Phase != Back && r.Version == p.Version {
		h.restarting = r.ID
	}
	for _, o := range w.hosts {
		if h.restarting != 0 && o.restarting == h.restarting && o != h {
			w.accuse("%s and %s are restarted at once", h.name, o.name)
		}
	}
	pause()
	err := w.reload(h)
	h.restarting = 0
	pause()
	if err != nil && p.Forward {
		h.file = was
		pause()
		_ = w.reload(h)
		pause()
		if was == 0 {
			h.saved = false
		}
		return err
	}
	if p.Version == 0 {
		h.saved = false
	}
	return err
}

// reload has the server read its file; one that cannot goes on with what it has.
func (w *world) reload(h *host) error {
	if h.served == down {
		return errors.New("the server is down")
	}
	if h.bad[h.file] {
		return fmt.Errorf("version %d does not suit", h.file)
	}
	h.served = h.file
	return nil
}
