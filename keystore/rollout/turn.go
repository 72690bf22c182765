package rollout

import (
	"cmp"
	"fmt"
	"slices"
)

func sorted(members []Member) []Member {
	return slices.SortedFunc(slices.Values(members), func(a, b Member) int { return cmp.Compare(a.Node, b.Node) })
}

// Turn is the next phase of a rollout.
type Turn struct {
	To         Phase
	Canary     string
	FailedNode string
	Failure    string
}

// Next is the turn that is due; false when somebody is waited for.
func Next(v View) (Turn, bool) {
	if v.Rollout == nil || len(v.Members) == 0 {
		return Turn{}, false
	}
	switch v.Rollout.Phase {
	case Voting:
		return v.afterVotes()
	case Canary:
		return v.afterCanary()
	case Rest:
		return v.afterRest()
	case Back:
		return v.afterBack()
	}
	return Turn{}, false
}

func (v View) afterVotes() (Turn, bool) {
	if node, why, against := v.against(); against {
		return Turn{To: Refused, FailedNode: node, Failure: why}, true
	}
	if node := v.silent(); node != "" {
		return Turn{To: Refused, FailedNode: node, Failure: node + " has not voted in time"}, v.Rollout.Overdue
	}
	canary := v.canary()
	if canary == "" {
		return Turn{To: Refused, Failure: "no living node has a server for this keystore (keystore.file)"}, true
	}
	return Turn{To: Canary, Canary: canary}, true
}

// against is a node that would not take the version.
func (v View) against() (node, why string, found bool) {
	for _, m := range sorted(v.Members) {
		if vote, voted := m.vote(v.Rollout.Version); voted && !vote.OK {
			return m.Node, m.Node + ": " + vote.Why, true
		}
	}
	return "", "", false
}

// silent is a node that has not voted.
func (v View) silent() string {
	for _, m := range sorted(v.Members) {
		if _, voted := m.vote(v.Rollout.Version); !voted {
			return m.Node
		}
	}
	return ""
}

// canary is the node that goes first.
func (v View) canary() string {
	for _, m := range sorted(v.Members) {
		if m.serves(v.Rollout.Version) {
			return m.Node
		}
	}
	return ""
}

// trouble is why all must go back.
func (v View) trouble() (Turn, bool) {
	for _, m := range sorted(v.Members) {
		if m.failed(v.Rollout) {
			return Turn{To: Back, FailedNode: m.Node, Failure: m.Node + ": " + m.Report.Error}, true
		}
	}
	if node, why, against := v.against(); against {
		return Turn{To: Back, FailedNode: node, Failure: why}, true
	}
	return Turn{}, false
}

func (v View) afterCanary() (Turn, bool) {
	if t, bad := v.trouble(); bad {
		return t, true
	}
	r := v.Rollout
	m, living := v.member(r.Canary)
	switch {
	case !living && v.canary() == "":
		return Turn{To: Back, FailedNode: r.Canary, Failure: "no node with a server is left"}, true
	case !living:
		return Turn{To: Canary, Canary: v.canary()}, true
	case m.shows(r):
		return Turn{To: Rest}, true
	}
	return late(r, r.Canary), r.Overdue
}

func (v View) afterRest() (Turn, bool) {
	if t, bad := v.trouble(); bad {
		return t, true
	}
	r := v.Rollout
	for _, m := range sorted(v.Members) {
		if _, voted := m.vote(r.Version); !voted || m.serves(r.Version) && !m.shows(r) {
			return late(r, m.Node), r.Overdue
		}
	}
	return Turn{To: Done}, true
}

func late(r *Rollout, node string) Turn {
	return Turn{To: Back, FailedNode: node, Failure: fmt.Sprintf("%s did not show version %d in time", node, r.Version)}
}

// afterBack waits without end for who can go back, and not at all for who cannot:
// that is told as a finding of its node.
func (v View) afterBack() (Turn, bool) {
	r := v.Rollout
	for _, m := range v.Members {
		_, voted := m.vote(r.Version)
		if !voted && !r.Overdue || m.serves(r.Version) && !m.settled(r) {
			return Turn{}, false
		}
	}
	return Turn{To: Failed}, true
}
