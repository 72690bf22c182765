//go:build linux

package chaos

import (
	"cmp"
	"slices"

	"github.com/coterie-ha/coterie/test/cluster"
)

// author is who made effects.
type author struct {
	job   string
	token int64
	pid   int
}

// effects checks that no effect was committed under a token after a higher one
// was claimed.
func (h *History) effects(v *violations, tenures []*tenure) {
	const promise = "effects"
	most := map[string]int64{}
	for _, e := range h.Effects {
		if e.Token < most[e.Job] {
			v.add(promise, "%s: an effect of %s with token %d came after one with token %d", e.Job, e.Node, e.Token, most[e.Job])
		}
		most[e.Job] = max(most[e.Job], e.Token)
		for _, t := range tenures {
			if t.lease == lease(e.Job) && t.token > e.Token && t.claim.Committed <= e.Committed {
				v.add(promise, "%s: an effect of %s with token %d was committed %v after %s had claimed token %d",
					e.Job, e.Node, e.Token, ms(e.Committed-t.claim.Committed), t.node, t.token)
			}
		}
	}
}

// acknowledged checks that no effect is lost of which its author was told that
// it is committed.
func (h *History) acknowledged(v *violations) {
	kept := map[author]int{}
	for _, e := range h.Effects {
		kept[author{e.Job, e.Token, e.PID}]++
	}
	for _, t := range h.Testimonies {
		if t.Deed == cluster.Accepted {
			kept[author{t.Job, t.Token, t.PID}]--
		}
	}
	for a, n := range kept {
		if n < 0 {
			v.add("effects", "%s: %d effects with token %d (process %d) were acknowledged and are lost", a.job, -n, a.token, a.pid)
		}
	}
}

// tokens checks what programs were told, whatever the database remembers of it:
// a token is one node's alone, and none is accepted after a higher one was.
func (h *History) tokens(v *violations) {
	const promise = "tokens"
	type grip struct {
		job   string
		token int64
	}
	owner, reused := map[grip]string{}, map[grip]bool{}
	byJob := map[string][]cluster.Testimony{}
	for _, t := range h.Testimonies {
		g := grip{t.Job, t.Token}
		if was, known := owner[g]; known && was != t.Node && !reused[g] {
			reused[g] = true
			v.add(promise, "%s: token %d was given to %s and to %s", t.Job, t.Token, was, t.Node)
		}
		owner[g] = t.Node
		if t.Deed == cluster.Accepted {
			byJob[t.Job] = append(byJob[t.Job], t)
		}
	}
	for _, all := range byJob {
		inOrder(v, all)
	}
}

// inOrder checks the effects of one job that were accepted.
func inOrder(v *violations, all []cluster.Testimony) {
	ended := slices.Clone(all)
	slices.SortFunc(all, func(a, b cluster.Testimony) int { return cmp.Compare(a.From, b.From) })
	slices.SortFunc(ended, func(a, b cluster.Testimony) int { return cmp.Compare(a.At, b.At) })
	var most cluster.Testimony // of those that were over before
	for _, t := range all {
		for len(ended) > 0 && ended[0].At < t.From {
			if ended[0].Token > most.Token {
				most = ended[0]
			}
			ended = ended[1:]
		}
		if t.Token < most.Token {
			v.add("tokens", "%s: token %d of %s was accepted %v after token %d of %s had been", t.Job, t.Token, t.Node, ms(t.From-most.At), most.Token, most.Node)
		}
	}
}
