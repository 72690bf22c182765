package leases

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// machine feeds a State whatever may come, in any order, also what no sane
// database would say, and looks after each step.
type machine struct {
	State
	now     time.Duration
	sent    bool // a heartbeat is under way
	began   time.Duration
	beats   int64
	stopped bool
	holders map[string]*machineHolder
}

type machineHolder struct {
	token          Token
	yielded, ended bool
}

func TestStepHoldsWhatItPromisesWhateverComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{State: State{Node: "a", Takes: []string{"x"}}, now: sec, holders: map[string]*machineHolder{}}
		era := Era{Quiet: time.Duration(rapid.SampledFrom([]int{0, 6}).Draw(t, "quiet")) * sec}
		m.Begun(m.now, sixSeconds, era, m.now)
		t.Repeat(map[string]func(*rapid.T){
			"":       m.check,
			"beat":   func(t *rapid.T) { m.send(t); m.answer(t) },
			"answer": m.answer,
			"fail":   func(t *rapid.T) { m.finish(t, Failed{}) },
			"send":   m.send,
			"wait":   func(t *rapid.T) { m.wait(t); m.take(t, Elapsed{}) },
			"return": m.comesBack,
			"hint":   func(t *rapid.T) { m.take(t, Hinted{}) },
			"mark":   func(t *rapid.T) { m.take(t, Marked{Token: m.token(t)}) },
			"change": func(t *rapid.T) { m.take(t, Changed{Takes: someClasses.Draw(t, "takes")}) },
			"stop":   func(t *rapid.T) { m.stopped = true; m.take(t, Stopped{}) },
		})
	})
}

func (m *machine) token(t *rapid.T) Token { return Token(rapid.Int64Range(0, 9).Draw(t, "token")) }

func (m *machine) wait(t *rapid.T) {
	m.now += time.Duration(rapid.SampledFrom([]int64{1, 1e6, 1e9, 3e9, 10e9}).Draw(t, "passes"))
}

func (m *machine) send(t *rapid.T) {
	if m.sent {
		return
	}
	m.sent, m.began = true, m.now
	asked := map[string]bool{}
	ask := func(name string) {
		if asked[name] {
			t.Fatalf("%s is asked for twice in one heartbeat", name)
		}
		if m.holders[name] != nil {
			t.Fatalf("%s is given back or claimed while its holder acts", name)
		}
		asked[name] = true
	}
	r := m.Request(m.now)
	for _, l := range r.Release {
		ask(l.Name)
	}
	for _, l := range r.Claim {
		ask(l.Name)
	}
	if (m.stopped || m.Over()) && len(r.Claim) > 0 {
		t.Fatalf("claims %v at the end of its life", r.Claim)
	}
}

func (m *machine) answer(t *rapid.T) {
	lease := rapid.Custom(func(t *rapid.T) Lease {
		name := fmt.Sprint("l", rapid.IntRange(1, 4).Draw(t, "lease"))
		l := Lease{Name: name, Class: rapid.SampledFrom([]string{"x", "x", "y"}).Draw(t, "class"), Token: m.token(t)}
		if h := m.holders[name]; h != nil && rapid.Bool().Draw(t, "same") {
			l.Token = h.token
		}
		return l
	})
	some := rapid.SliceOfNDistinct(lease, 0, 4, func(l Lease) string { return l.Name })
	a := Answer{Alive: rapid.IntRange(0, 40).Draw(t, "alive") > 0, Terms: sixSeconds}
	m.beats++
	a.Beats = m.beats - int64(max(0, rapid.IntRange(-40, 1).Draw(t, "went back")))
	a.Listing = &Listing{Held: some.Draw(t, "held"), Free: some.Draw(t, "free"), Load: drawLoad(t, someClasses)}
	m.finish(t, Answered{Answer: a})
}

func (m *machine) finish(t *rapid.T, e Event) {
	if !m.sent {
		return
	}
	m.sent = false
	if a, ok := e.(Answered); ok {
		a.Began = m.began
		e = a
	}
	m.take(t, e)
}

func (m *machine) comesBack(t *rapid.T) {
	for _, name := range sorted(m.holders) {
		h := m.holders[name]
		delete(m.holders, name)
		m.take(t, Returned{Lease: name, Token: h.token})
		return
	}
}

// take carries out what Step says.
func (m *machine) take(t *rapid.T, e Event) {
	for _, a := range m.Step(m.now, e) {
		h := m.holders[a.Lease]
		switch {
		case a.Do == Begin && h != nil:
			t.Fatalf("%s begins before its holder has returned", a.Lease)
		case a.Do == Begin && (m.stopped || m.Over()):
			t.Fatalf("%s begins at the end of a life", a.Lease)
		case a.Do == Begin:
			m.holders[a.Lease] = &machineHolder{token: a.Token}
		case h == nil || h.token != a.Token:
			t.Fatalf("%+v is for nobody", a)
		case a.Do == Yield && (h.yielded || h.ended), a.Do == End && h.ended:
			t.Fatalf("%+v comes twice or too late", a)
		case a.Do == Yield:
			h.yielded = true
		case a.Do == End:
			h.ended = true
		}
	}
	for name, h := range m.holders {
		if !h.ended && m.now >= m.Trusted() {
			t.Fatalf("%s acts on though trust ended at %v", name, m.Trusted())
		}
	}
}

func (m *machine) check(t *rapid.T) {
	acts := false
	for name, h := range m.holders {
		acts = acts || !h.ended
		if !h.ended && (m.stopped || m.Over()) {
			t.Fatalf("%s acts on at the end of a life", name)
		}
	}
	if m.Idle() != (len(m.holders) == 0) {
		t.Fatalf("idle: %v, with %d holders", m.Idle(), len(m.holders))
	}
	if wake := m.Wake(m.now, m.sent); wake < m.now || wake > m.now+m.Terms.Heartbeat || acts && m.now < m.Trusted() && wake > m.Trusted() {
		t.Fatalf("looks again at %v, now is %v, trust ends at %v", wake, m.now, m.Trusted())
	}
	if !m.sent && m.Due() > m.now+m.Terms.Heartbeat {
		t.Fatalf("the next heartbeat is due at %v, now is %v", m.Due(), m.now)
	}
}
