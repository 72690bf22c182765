//go:build linux

package chaos

import "github.com/coterie-ha/coterie/test/cluster"

// author is who made effects.
type author struct {
	job   string
	token int64
	pid   int
}

// effects checks that no effect was committed under a token after a higher one
// was claimed, and that none that was acknowledged is lost.
func (h *History) effects(v *violations, tenures []*tenure) {
	const promise = "effects"
	most := map[string]int64{}
	kept := map[author]int{}
	for _, e := range h.Effects {
		if e.Token < most[e.Job] {
			v.add(promise, "%s: an effect of %s with token %d came after one with token %d", e.Job, e.Node, e.Token, most[e.Job])
		}
		most[e.Job] = max(most[e.Job], e.Token)
		kept[author{e.Job, e.Token, e.PID}]++
		for _, t := range tenures {
			if t.lease == lease(e.Job) && t.token > e.Token && t.claim.Committed <= e.Committed {
				v.add(promise, "%s: an effect of %s with token %d was committed %v after %s had claimed token %d",
					e.Job, e.Node, e.Token, ms(e.Committed-t.claim.Committed), t.node, t.token)
			}
		}
	}
	for _, t := range h.Testimonies {
		if t.Deed == cluster.Accepted {
			kept[author{t.Job, t.Token, t.PID}]--
		}
	}
	for a, n := range kept {
		if n < 0 {
			v.add(promise, "%s: %d effects with token %d (process %d) were acknowledged and are lost", a.job, -n, a.token, a.pid)
		}
	}
}
