package coordinator

import "slices"

// Goal is what operators want of a node.
type Goal string

// Goals, as in the SQL type coterie.node_goal.
const (
	GoalReady   Goal = "ready"
	GoalDrained Goal = "drained"
)

// State is what a node reports of itself.
type State string

// States, as in the SQL type coterie.node_state.
const (
	Joining  State = "joining"
	Ready    State = "ready"
	Draining State = "draining"
	Drained  State = "drained"
	Leaving  State = "leaving"
	Left     State = "left"
	Evicted  State = "evicted"
)

// Facts are what a node knows when it chooses its state.
type Facts struct {
	Stopping bool // told to leave
	Goal     Goal
	Proved   bool // what must hold before a node may be ready, holds: its share is the cluster's, its keystore in place
	Held     int  // leases whose holders still act
}

// Next is the state that follows from facts: one edge at a time, so that every
// change is reported.
func (s State) Next(f Facts) State {
	switch {
	case s == Left || s == Evicted:
		return s
	case s == Leaving:
		if f.Held == 0 {
			return Left
		}
		return Leaving
	case f.Stopping:
		return Leaving
	case f.Goal == GoalDrained:
		switch {
		case s == Joining || s == Ready:
			return Draining
		case s == Draining && f.Held == 0:
			return Drained
		}
		return s
	case s == Draining || s == Drained:
		return Ready
	case s == Joining && f.Proved:
		return Ready
	}
	return s
}

// Way lists the reports that lead from this state to another, each of them an edge
// that a node may take by itself; the other alone when there is no such way.
func (s State) Way(to State) []State {
	ways := [][]State{{s}}
	for seen := map[State]bool{s: true}; len(ways) > 0 && s != to; ways = ways[1:] {
		way := ways[0]
		for _, e := range Edges() {
			switch {
			case e.From != way[len(way)-1] || e.To == Joining || seen[e.To]:
			case e.To == to:
				return append(slices.Clone(way[1:]), to)
			default:
				seen[e.To] = true
				ways = append(ways, append(slices.Clone(way), e.To))
			}
		}
	}
	return []State{to}
}

// Takes says whether a node in this state takes leases.
func (s State) Takes() bool { return s == Ready }

// Edge is an allowed change of a node's state.
type Edge struct {
	From State `db:"from_state"`
	To   State `db:"to_state"`
	Rule string
}

// Edges lists what Next may do, and the start of the process, which puts every
// node that was not evicted back to joining. coterie.transition holds the same rows.
func Edges() []Edge {
	edges := []Edge{
		{Joining, Ready, "the share is proved"},
		{Joining, Draining, "the goal is drained"},
		{Ready, Draining, "the goal is drained"},
		{Draining, Drained, "nothing is held any more"},
		{Draining, Ready, "the goal is ready"},
		{Drained, Ready, "the goal is ready"},
		{Leaving, Left, "nothing is held any more"},
	}
	for _, s := range []State{Joining, Ready, Draining, Drained} {
		edges = append(edges, Edge{s, Leaving, "the node was told to stop"})
	}
	for _, s := range []State{Ready, Draining, Drained, Leaving, Left} {
		edges = append(edges, Edge{s, Joining, "the process starts"})
	}
	return edges
}
