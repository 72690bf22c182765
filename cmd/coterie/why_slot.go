package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/internal/table"
)

// tellSlot is what became of a slot, as sentences.
func (j *jobCase) tellSlot(what string, r table.Row) {
	due, node := r.Time("due_at"), r.Text("node")
	name := fmt.Sprintf("%s, due at %s,", what, j.when(due))
	if by := r.Text("requested_by"); by != "" {
		name = fmt.Sprintf("%s, which %s asked for at %s,", what, by, j.when(due))
	}
	began := fmt.Sprintf("%s at %s", node, r.Time("started_at").UTC().Format("15:04:05.000"))
	switch outcome := r.Text("outcome"); outcome {
	case "running":
		j.say("%s was begun by %s and is running, for %s so far.", name, began, table.Between(r.Time("started_at"), j.now))
	case "succeeded":
		j.say("%s was begun by %s and succeeded after %s.", name, began, took(r))
	case "failed":
		j.say("%s was begun by %s and failed after %s.", name, began, took(r))
	case "timed_out":
		j.say("%s was begun by %s and took too long: it was stopped after %s.", name, began, took(r))
	case "cancelled":
		j.say("%s was begun by %s and was stopped after %s.", name, began, took(r))
	case "lost":
		j.say("%s was begun by %s, and nobody knows how it ended.", name, began)
	case "skipped":
		j.say("%s was skipped.", name)
	case "missed":
		j.say("%s was missed.", name)
	default:
		j.say("%s: %s.", name, strings.ReplaceAll(outcome, "_", " "))
	}
	if why := r.Text("reason"); why != "" {
		j.say("%s", sentence(upper(why)))
	}
	if tail := lastLine(r.Text("log_tail")); tail != "" && r.Text("outcome") != "succeeded" {
		j.say("Its last output: %s", tail)
	}
}

// tellRun puts the steps of a run among what happened.
func (j *jobCase) tellRun(r table.Row) {
	due := r.Time("due_at")
	j.around = append(j.around, episode{due, "due"})
	outcome := strings.ReplaceAll(r.Text("outcome"), "_", " ")
	started, finished := r.Time("started_at"), r.Time("finished_at")
	if !started.IsZero() {
		late := ""
		if d := started.Sub(due); d >= time.Millisecond {
			late = ", " + table.Duration(d) + " late"
		}
		j.around = append(j.around, episode{started, fmt.Sprintf("%s began it, token %d, attempt %d%s", r.Text("node"), r.Int("token"), r.Int("attempt"), late)})
	}
	switch {
	case finished.IsZero():
	case started.IsZero():
		j.around = append(j.around, episode{finished, fmt.Sprintf("recorded as %s under token %d", outcome, r.Int("token"))})
	case r.Text("outcome") == "lost":
		j.around = append(j.around, episode{finished, "closed as lost"})
	default:
		j.around = append(j.around, episode{finished, outcome})
	}
}

func took(r table.Row) string {
	d, _ := r.Duration("took")
	return table.Duration(d)
}

// upper begins a sentence, unless it begins with a name, which is not ours to change.
func upper(text string) string {
	first, _, _ := strings.Cut(text, " ")
	if strings.ContainsAny(first, "-_.0123456789/") || text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n "), "\n")
	return table.Safe(lines[len(lines)-1])
}

func first(rows *table.Rows) *table.Row {
	r := rows.Row(0)
	return &r
}

// newValue is a field of a definition as an event left it.
func newValue(r table.Row, field string) string {
	var facts struct{ New map[string]any }
	raw, _ := r.Value("detail").(json.RawMessage)
	if json.Unmarshal(raw, &facts) != nil || facts.New[field] == nil {
		return ""
	}
	return fmt.Sprint(facts.New[field])
}

// distinct are the names that are not empty, each once.
func distinct(names []string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}
