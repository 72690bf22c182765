package leases

import (
	"slices"
	"time"
)

// phase of a grant: where its holder is.
type phase int

const (
	holding  phase = iota // the holder acts
	yielding              // the holder was asked to return when idle
	ending                // the holder's context has ended; it has not returned yet
	returned              // the holder has returned; the lease is to be given back, or taken anew
)

type grant struct {
	token  Token
	class  string
	prefer string // node that balance leaves it with
	phase  phase
	cause  string        // freed_by of the release to come
	retry  bool          // ended for lack of trust: take it anew, under a new token
	away   bool          // yielded for balance
	back   int           // how many times in a row that was in vain
	keep   time.Duration // balance leaves it here until then
	Wish
	tried // to give it back, or to take it anew
}

// tried is when something was last asked of the database that it may pass over,
// because an application holds the row: it is asked again a heartbeat later.
type tried struct{ at *time.Duration }

func (t tried) rests(now, heartbeat time.Duration) bool { return t.at != nil && now < *t.at+heartbeat }

func (s *State) end(out []Action, name string, cause error) []Action {
	g := s.grants[name]
	if g.phase > yielding {
		return out
	}
	g.phase = ending
	return append(out, Action{Do: End, Lease: name, Token: g.token, Cause: cause})
}

func (s *State) yield(out []Action, name, cause string) []Action {
	g := s.grants[name]
	if g.phase != holding {
		return out
	}
	g.phase, g.cause = yielding, cause
	return append(out, Action{Do: Yield, Lease: name, Token: g.token})
}

// held brings the grants in line with what the database says is mine.
func (s *State) held(now time.Duration, mine []Lease) []Action {
	var out []Action
	said := make(map[string]Lease, len(mine))
	for _, l := range mine {
		said[l.Name] = l
	}
	for _, name := range sorted(s.grants) {
		if l, ok := said[name]; !ok || l.Token != s.grants[name].token {
			g := s.grants[name]
			g.retry = false
			out = s.end(out, name, ErrLost)
			if g.phase == returned {
				delete(s.grants, name)
			}
		}
	}
	for _, l := range mine {
		s.Mark = max(s.Mark, l.Token)
		g, ok := s.grants[l.Name]
		if ok {
			g.class, g.prefer, g.Wish = l.Class, l.Prefer, l.Wish
			continue // it acts, or its former holder has not returned yet
		}
		g = &grant{token: l.Token, class: l.Class, prefer: l.Prefer, cause: "release", Wish: l.Wish}
		s.grants[l.Name] = g
		if gave := s.given[l.Name]; gave.vain {
			g.back = gave.back + 1
			g.keep = now + s.patient(g.back)
		}
		delete(s.given, l.Name)
		if s.stopping || s.ended || now >= s.trust || !s.wants(l.Name, l.Class) {
			g.phase = returned
			continue
		}
		out = append(out, Action{Do: Begin, Lease: l.Name, Token: l.Token})
	}
	return out
}

// returned notes that a holder came back: its lease is given back with the next
// heartbeat, or taken anew if only trust was missing.
func (s *State) returned(now time.Duration, e Returned) {
	g, ok := s.grants[e.Lease]
	if !ok || g.token != e.Token {
		return
	}
	if g.phase == holding {
		// By itself. Leave it to others for a while, so that a holder that cannot work does not spin.
		s.resting[e.Lease] = now + s.Terms.TTL
	}
	g.phase = returned
	s.hurry, s.stale = now, true
}

func (s *State) wants(name, class string) bool {
	return slices.Contains(s.Wants, name) || class != "" && slices.Contains(s.Takes, class)
}

func (s *State) yieldUnwanted(out []Action) []Action {
	for _, name := range sorted(s.grants) {
		if g := s.grants[name]; !s.wants(name, g.class) {
			out = s.yield(out, name, "release")
		}
	}
	return out
}

func (s *State) releasing(now time.Duration) bool {
	for _, g := range s.grants {
		if g.phase == returned && !g.rests(now, s.Terms.Heartbeat) {
			return true
		}
	}
	return false
}
