//go:build linux || darwin

package supervisor

import (
	"strconv"
	"time"
)

// A survey says which living process belongs to which tree, at about one instant.
type survey struct {
	of     map[*tree][]process
	nobody []process // descendants that hid from group, session, parent, cgroup and environment
	agents []process // what the agent started itself
	groups map[*tree]map[int]bool
}

// survey walks down from the supervisor. All that ever descended from it still
// does, because orphans are handed to it; only whose they are can be hidden.
// It looks once, and can miss who forks and ends meanwhile; look cannot.
func (s *supervisor) survey() (survey, error) {
	v := survey{of: make(map[*tree][]process), groups: make(map[*tree]map[int]bool)}
	all, err := census()
	if err != nil {
		return v, err
	}
	children := make(map[int][]process)
	var fallen []process // orphans that have died, and that we have not waited for
	for _, p := range adopted(all) {
		if !p.dead {
			children[p.parent] = append(children[p.parent], p)
		} else if p.parent == s.pid && s.leaders[p.pid] == nil && s.stages[p.pid] == nil && p.pid != s.agent.pid {
			fallen = append(fallen, p)
		}
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
				walk(c, v.addAgents)
			}
		case s.stages[p.pid] != nil || p.pid == s.speaker:
			// Ours, and not yet or never a run's.
		default:
			walk(p, v.adderFor(s, p))
		}
	}
	for _, t := range s.trees { // how they will be known when their parents are dead
		t.seen, t.sessions = make(map[ident]bool), make(map[int]bool)
		for _, p := range v.of[t] {
			t.seen[p.ident], t.sessions[p.session] = true, true
		}
	}
	v.findGroups(s, fallen)
	return v, nil
}

// adopted corrects those whose parent has died since they were looked at: they
// would hang in the air. Most often there is none.
func adopted(all []process) []process {
	living := make(map[int]bool, len(all))
	for _, p := range all {
		living[p.pid] = !p.dead
	}
	for i, p := range all {
		for tries := 0; !living[p.parent] && p.parent != 0 && tries < rounds; tries++ {
			now, ok := readStat(p.pid)
			if !ok || now.born != p.born {
				p.dead = true
				break
			}
			p = now
		}
		all[i] = p
	}
	return all
}

// findGroups learns which process groups a tree has. The fallen tell more than
// the living, where each of these lives too shortly to be met; and while they
// are not waited for, their group's number is not given to anybody else.
func (v *survey) findGroups(s *supervisor, fallen []process) {
	for _, t := range s.trees {
		groups := make(map[int]bool)
		for _, p := range v.members(t) {
			groups[p.group] = true
		}
		for _, p := range fallen {
			if owner := s.ownerOf(p); owner == t || owner == nil && t.mayOwn(p) {
				groups[p.group] = true
			}
		}
		delete(groups, t.pid) // it has its own way
		v.groups[t] = groups
	}
}

// ownerOf tells whose an orphan is by what can be read in its line alone.
func (s *supervisor) ownerOf(p process) *tree {
	for _, t := range s.trees {
		if t.seen[p.ident] || t.sessions[p.session] || p.group == t.pid || p.session == t.pid {
			return t
		}
	}
	return nil
}

func (v *survey) adder(t *tree) func(process) {
	return func(p process) { v.of[t] = append(v.of[t], p) }
}

func (v *survey) addAgents(p process) { v.agents = append(v.agents, p) }

// adderFor finds the owner of an orphan, and so of its descendants.
func (v *survey) adderFor(s *supervisor, p process) func(process) {
	if s.cgroups != nil {
		place, _ := cgroupOf(strconv.Itoa(p.pid)) // none when it has just died
		for _, t := range s.trees {
			if t.cgroup != nil && t.cgroup.holds(place) {
				return v.adder(t)
			}
		}
	}
	if t := s.ownerOf(p); t != nil {
		return v.adder(t)
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
		return v.addAgents
	}
	return func(p process) { v.nobody = append(v.nobody, p) }
}

// members are the living of a tree that is to end.
func (v *survey) members(t *tree) []process {
	members := v.of[t]
	for _, p := range v.nobody {
		if t.mayOwn(p) {
			members = append(members, p)
		}
	}
	return members
}

// mayOwn tells whether a tree must answer for what is nobody's. Without cgroups
// it must if that is not older than the run: a run whose remains live on in
// disguise would run twice. A cgroup tells.
func (t *tree) mayOwn(p process) bool {
	return t.cgroup == nil && p.born >= t.begun
}
