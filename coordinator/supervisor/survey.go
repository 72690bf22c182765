//go:build linux || darwin

package supervisor

import (
	"strconv"
	"time"
)

// A survey says which living process belongs to which tree, at about one instant.
type survey struct {
	of     map[*tree][]process
	nobody []process // descendants that hid from group, session, parent and environment
	agents []process // what the agent started itself
}

// survey looks once, and can miss who forks and ends meanwhile; see look. It walks down from the supervisor. All that ever descended from it still
// does, because orphans are handed to it; only whose they are can be hidden.
func (s *supervisor) survey() (survey, error) {
	v := survey{of: make(map[*tree][]process)}
	all, err := processes()
	if err != nil {
		return v, err
	}
	children := make(map[int][]process)
	for _, p := range all {
		children[p.parent] = append(children[p.parent], p)
	}
	var walk func(p process, add func(process))
	walk = func(p process, add func(process)) {
		add(p)
		for _, c := range children[p.pid] {
			walk(c, add)
		}
	}
	for _, p := range children[s.pid] {
		switch t := s.leaders[p.pid]; {
		case t != nil:
			walk(p, v.adder(t))
		case p.pid == s.agent.pid:
			for _, c := range children[p.pid] {
				walk(c, func(p process) { v.agents = append(v.agents, p) })
			}
		case s.stages[p.pid] != nil || p.pid == s.speaker:
			// Ours, and not yet or never a run's.
		default:
			walk(p, v.adderFor(s, p))
		}
	}
	for _, t := range s.trees { // how they will be known when their parents are dead
		t.seen = make(map[ident]bool, len(v.of[t]))
		for _, p := range v.of[t] {
			t.seen[p.ident] = true
		}
	}
	return v, nil
}

func (v *survey) adder(t *tree) func(process) {
	return func(p process) { v.of[t] = append(v.of[t], p) }
}

// adderFor finds the owner of an orphan, and so of its descendants.
func (v *survey) adderFor(s *supervisor, p process) func(process) {
	place := ""
	if s.cgroups != nil {
		place, _ = cgroupOf(strconv.Itoa(p.pid)) // none when it has just died
	}
	for _, t := range s.trees {
		if t.cgroup != nil && t.cgroup.holds(place) || t.seen[p.ident] || p.group == t.pid || p.session == t.pid {
			return v.adder(t)
		}
	}
	env := environ(p.pid)
	for range 3 {
		if len(env) > 0 {
			break
		}
		<-time.After(time.Millisecond) // in the middle of an exec a process has no environment, for an instant
		env = environ(p.pid)
	}
	if t := s.trees[env[envRun]]; t != nil && env[envGuard] == s.mark {
		return v.adder(t)
	}
	if env[envAgent] == s.mark || s.agent.pid != 0 && (p.group == s.agent.pid || p.session == s.agent.pid) {
		return func(p process) { v.agents = append(v.agents, p) }
	}
	return func(p process) { v.nobody = append(v.nobody, p) }
}

// members are the living of a tree that is to end. Without cgroups, what is
// nobody's and is not older than the run may be its own: a run whose remains
// live on in disguise would run twice, so it counts, and dies. A cgroup tells.
func (v *survey) members(t *tree) []process {
	members := v.of[t]
	if t.cgroup != nil {
		return members
	}
	for _, p := range v.nobody {
		if p.born >= t.begun {
			members = append(members, p)
		}
	}
	return members
}
