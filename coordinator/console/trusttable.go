package console

import (
	"cmp"
	"slices"
)

func (s Snapshot) trustTable(most int) table {
	t, ok := s.begin("trusts", "Trust between servers", "Nobody takes part in it.")
	if ok {
		t.Heads = heads("From", "To", "Result", "#Took", "Since", "Why, and the remedy")
	}
	now := s.now()
	list := rows[trustRow](s.Docs["trusts"])
	slices.SortStableFunc(list, func(a, b trustRow) int {
		return cmp.Or(cmp.Compare(truth(a.OK == "true"), truth(b.OK == "true")), cmp.Compare(a.FromNode, b.FromNode), cmp.Compare(a.ToNode, b.ToNode))
	})
	return fill(t, list, most, func(p trustRow) []cell {
		result := word(p.Result)
		switch {
		case p.OK == "true":
			result.Class = "good"
		case p.OK == "false":
			result.Class = "bad"
		}
		why := wrap(p.Reason)
		if p.OK != "true" {
			why.Remedy = clip(string(p.Remedy), 160)
		}
		return []cell{name(p.FromNode), name(p.ToNode), result, rtt(p.LatencyMS), ago(p.Since, now), why}
	})
}
