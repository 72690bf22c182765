package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// tables are those of the page, each with so many rows at most.
func (s Snapshot) tables(most int) []table {
	if len(s.Docs) == 0 {
		return nil // the headline says so
	}
	all := []table{
		s.findingTable(most / 4),
		s.nodeTable(most / 2),
		s.jobTable(most),
		s.leaseTable(most),
	}
	if t := s.trustTable(most / 2); len(t.Rows) > 0 { // most clusters have nothing to do with it
		all = append(all, t)
	}
	return append(all, s.takeoverTable(most/8), s.eventTable(most/2))
}

func heads(words ...string) []cell {
	cells := make([]cell, len(words))
	for i, w := range words {
		text, num := strings.CutPrefix(w, "#")
		cells[i].Text = text
		if num {
			cells[i].Class = "num"
		}
	}
	return cells
}

// begin is a table without rows yet, and whether its list was ever read.
func (s Snapshot) begin(id, title, none string) (table, bool) {
	t := table{ID: id, Title: title, Empty: none}
	d, ok := s.Docs[id]
	if !ok {
		t.Empty = "Not read from the database yet."
		return t, false
	}
	t.Age = "as of " + strings.TrimPrefix(since(time.Since(d.AsOf)), "just ")
	return t, true
}

// halve leaves out the later half of the rows; false when that is nothing.
func halve(tables []table) (fewer bool) {
	for i := range tables {
		t := &tables[i]
		kept := (len(t.Rows) + 1) / 2
		fewer = fewer || kept < len(t.Rows)
		t.More += len(t.Rows) - kept
		t.Rows = t.Rows[:kept]
	}
	return fewer
}

// fill makes a row of cells of each row that there is room for.
func fill[T any](t table, list []T, most int, cells func(T) []cell) table {
	most = max(most, 1)
	t.More = max(len(list)-most, 0)
	for _, r := range list[:min(most, len(list))] {
		t.Rows = append(t.Rows, cells(r))
	}
	return t
}

func (s Snapshot) findingTable(most int) table {
	t, ok := s.begin("findings", "Needs attention", "Nothing needs attention.")
	if ok {
		t.Heads = heads("Code", "About", "Since", "What, and the remedy")
	}
	now := s.now()
	grave := []text{"error", "warning", "note"}
	list := rows[findingRow](s.Docs["findings"])
	slices.SortStableFunc(list, func(a, b findingRow) int {
		return cmp.Compare(slices.Index(grave, a.Severity), slices.Index(grave, b.Severity))
	})
	return fill(t, list, most, func(f findingRow) []cell {
		what := wrap(f.Text)
		what.Remedy = clip(string(f.Remedy), 160)
		return []cell{
			{Text: clip(string(f.Code), 20), Class: orElse(classOf(string(f.Severity)), "warn"), Title: clip(string(f.Severity), 20)},
			name(f.Subject), ago(f.Since, now), what,
		}
	})
}

func (s Snapshot) nodeTable(most int) table {
	t, ok := s.begin("nodes", "Nodes", "No node has joined.")
	if ok {
		t.Heads = heads("Node", "Goal", "State", "#Seen", "#Leases", "#Running", "Storage", "#To database", "Version", "Message")
	}
	// A node was seen so long before the list was read; what it did since, the list cannot know.
	read := s.now().Add(-time.Since(s.Docs["nodes"].AsOf))
	list := rows[nodeRow](s.Docs["nodes"])
	slices.SortStableFunc(list, func(a, b nodeRow) int { return cmp.Compare(a.Name, b.Name) })
	return fill(t, list, most, func(n nodeRow) []cell {
		seen := ago(n.LastSeenAt, read)
		seen.Class = "num"
		return []cell{
			name(n.Name), {Text: clip(string(n.Goal), 20)}, word(n.State), seen, number(n.LeasesHeld), number(n.JobsRunning),
			word(n.StorageState), rtt(n.RTT), roomy(clip(string(n.AppVersion), 40)), wrap(n.message()),
		}
	})
}

// message is what people wanted of the node, and what it says itself.
func (n nodeRow) message() text {
	if n.Goal != "drained" {
		return n.Message
	}
	return joined("; ", text(join(string(n.GoalBy), string(n.GoalReason))), n.Message)
}

// joined puts together those texts that say something.
func joined(between string, texts ...text) text {
	var said []string
	for _, t := range texts {
		if t != "" {
			said = append(said, string(t))
		}
	}
	return text(strings.Join(said, between))
}

func (s Snapshot) leaseTable(most int) table {
	t, ok := s.begin("leases", "Leases", "There are no leases.")
	if ok {
		t.Heads = heads("Lease", "Holder", "#Token", "#Held", "Wanted by")
	}
	now := s.now()
	list := rows[leaseRow](s.Docs["leases"])
	slices.SortStableFunc(list, func(a, b leaseRow) int {
		return cmp.Or(cmp.Compare(truth(a.Valid == "true"), truth(b.Valid == "true")), cmp.Compare(a.Name, b.Name))
	})
	return fill(t, list, most, func(l leaseRow) []cell {
		holder := name(l.Holder)
		switch {
		case l.Holder == "":
			holder = cell{Text: "nobody", Class: "warn"}
		case l.Valid == "false":
			holder.Text, holder.Class = holder.Text+" (expired)", "bad"
		}
		held := cell{Text: "-", Class: "num"}
		if at := l.AcquiredAt.time(); !at.IsZero() {
			held.Text, held.Title = brief(max(now.Sub(at), 0)), stamp(at)
		}
		return []cell{name(l.Name), holder, number(l.Token), held, wrap(l.wanted())}
	})
}

func (l leaseRow) wanted() text {
	var nodes []text
	if json.Unmarshal([]byte(l.WantedBy), &nodes) != nil {
		return l.WantedBy
	}
	return joined(", ", nodes...)
}

func (s Snapshot) takeoverTable(most int) table {
	t, ok := s.begin("takeovers", "Last take-overs", "No lease has changed hands.")
	if ok {
		t.Heads = heads("Lease", "From", "To", "Cause", "#Took", "When")
	}
	now := s.now()
	list := rows[takeoverRow](s.Docs["takeovers"])
	slices.SortStableFunc(list, func(a, b takeoverRow) int { return b.ClaimedAt.time().Compare(a.ClaimedAt.time()) })
	return fill(t, list, most, func(o takeoverRow) []cell {
		return []cell{name(o.Lease), name(o.FromNode), name(o.ToNode), {Text: clip(string(o.Cause), 20)}, {Text: took(o.Took), Class: "num"}, ago(o.ClaimedAt, now)}
	})
}

func (s Snapshot) eventTable(most int) table {
	t, ok := s.begin("events", "Last events", "Nothing has happened.")
	if ok {
		t.Heads = heads("When (UTC)", "Node", "What", "Subject", "#Token", "By", "Why")
	}
	list := rows[eventRow](s.Docs["events"])
	slices.SortStableFunc(list, func(a, b eventRow) int { return b.At.time().Compare(a.At.time()) })
	return fill(t, list, most, func(e eventRow) []cell {
		return []cell{
			{Text: stamp(e.At.time()), Class: "dim"}, name(e.Node), {Text: clip(string(e.Kind), 40)}, name(e.Subject), number(e.Token),
			{Text: clip(string(e.Actor), 40)}, wrap(e.why()),
		}
	})
}

// why is all that the ledger says of an event beyond its columns.
func (e eventRow) why() text {
	var from, facts text
	if e.Peer != "" && e.Peer != e.Node {
		from = "from " + e.Peer
	}
	var detail map[string]text
	if json.Unmarshal([]byte(e.Detail), &detail) == nil {
		for _, key := range slices.Sorted(maps.Keys(detail)) {
			facts = joined(", ", facts, joined(" ", text(key), detail[key]))
		}
	}
	return joined("; ", from, e.Reason, facts)
}

// wrap is a cell for prose.
func wrap(t text) cell { return cell{Text: clip(string(t), 160), Class: "wrap"} }

func name(t text) cell { return roomy(clip(orElse(string(t), "-"), 80)) }

// roomy is a cell whose text is usually short, and wraps when it is not.
func roomy(s string) cell {
	if len(s) > 44 {
		return cell{Text: s, Class: "wrap"}
	}
	return cell{Text: s}
}

func word(t text) cell {
	return cell{Text: clip(strings.ReplaceAll(orElse(string(t), "-"), "_", " "), 40), Class: classOf(string(t))}
}

func number(t text) cell { return cell{Text: clip(string(t), 20), Class: "num"} }

func rtt(t text) cell {
	if d, ok := t.duration(); ok {
		return cell{Text: millis(d / 1000), Class: "num"}
	}
	return cell{Text: "-", Class: "num"}
}

func ago(t text, now time.Time) cell {
	at := t.time()
	if at.IsZero() {
		return cell{Text: "-"}
	}
	return cell{Text: since(now.Sub(at)), Title: stamp(at)}
}

func took(t text) string {
	if d, ok := t.duration(); ok {
		return brief(d)
	}
	return orElse(clip(string(t), 20), "-")
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05") }

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
