package jobs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Change is one job that is to be another, new, or no more.
type Change struct {
	Old, New *Definition // Old is nil for a new job, New for one to be removed
}

// Name is the name of the job.
func (c Change) Name() string {
	if c.New != nil {
		return c.New.Name
	}
	return c.Old.Name
}

// Changes are what turns one set of definitions into another.
type Changes []Change

// Diff returns the changes from the definitions that are to those that are
// wanted, in the order of names. A job that is not wanted is removed.
func Diff(current, wanted []Definition) Changes {
	old := make(map[string]Definition, len(current))
	for _, d := range current {
		old[d.Name] = d.withDefaults()
	}
	var changes Changes
	for _, d := range wanted {
		d = d.withDefaults()
		was, there := old[d.Name]
		delete(old, d.Name)
		switch {
		case !there:
			changes = append(changes, Change{New: &d})
		case len(differences(was, d)) > 0:
			changes = append(changes, Change{Old: &was, New: &d})
		}
	}
	for _, d := range old {
		if Builtin(d.Name) {
			continue
		}
		changes = append(changes, Change{Old: &d})
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Name(), b.Name()) })
	return changes
}

// differences lists the fields in which two definitions differ, for people.
func differences(a, b Definition) []string {
	var list []string
	differ := func(field string, a, b any) {
		if a != b {
			list = append(list, fmt.Sprintf("%s %v -> %v", field, a, b))
		}
	}
	differ("schedule", quoted(a.Schedule), quoted(b.Schedule))
	differ("time_zone", a.TimeZone, b.TimeZone)
	differ("gap", a.Gap, b.Gap)
	differ("fold", a.Fold, b.Fold)
	differ("starts", orNever(a.Starts), orNever(b.Starts))
	differ("ends", orNever(a.Ends), orNever(b.Ends))
	differ("jitter", orNone(a.Jitter), orNone(b.Jitter))
	differ("except", listed(a.Except), listed(b.Except))
	differ("action", a.Action, b.Action)
	differ("timeout", orNone(a.Timeout), orNone(b.Timeout))
	differ("stop_grace", orNone(a.StopGrace), orNone(b.StopGrace))
	differ("overlap", a.Overlap, b.Overlap)
	differ("misfire", a.Misfire, b.Misfire)
	differ("misfire_limit", a.MisfireLimit, b.MisfireLimit)
	differ("catch_up", orNone(a.CatchUp), orNone(b.CatchUp))
	differ("retries", a.Retries, b.Retries)
	differ("retry_after", orNone(a.RetryAfter), orNone(b.RetryAfter))
	differ("retry_max", orNone(a.RetryMax), orNone(b.RetryMax))
	differ("on_lost", a.OnLost, b.OnLost)
	differ("while_away", a.WhileAway, b.WhileAway)
	differ("priority", a.Priority, b.Priority)
	differ("group", cmp.Or(a.Group, "none"), cmp.Or(b.Group, "none"))
	differ("limit of the group", a.GroupLimit, b.GroupLimit)
	differ("requires", listed(a.Requires), listed(b.Requires))
	differ("prefers", listed(a.Prefers), listed(b.Prefers))
	differ("apart", cmp.Or(a.Apart, "none"), cmp.Or(b.Apart, "none"))
	differ("enabled", !a.Disabled, !b.Disabled)
	differ("params", a.Params.String(), b.Params.String())
	differ("keep", orNone(a.Keep), orNone(b.Keep))
	differ("long_after", orNone(a.Long), orNone(b.Long))
	differ("queue", a.Queue, b.Queue)
	return list
}

func listed(words []string) string { return "[" + strings.Join(words, ", ") + "]" }

func orNever(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return stamp(t)
}

// quoted is a schedule without regard to the blanks it was written with.
func quoted(schedule string) string {
	return fmt.Sprintf("%q", strings.Join(strings.Fields(schedule), " "))
}

func orNone(timeout time.Duration) string {
	if timeout == 0 {
		return "none"
	}
	return timeout.String()
}

// String tells the changes to people, one line each.
func (c Changes) String() string {
	var b strings.Builder
	for _, one := range c {
		switch {
		case one.Old == nil:
			fmt.Fprintf(&b, "+ %s: %s, action %s\n", one.New.Name, quoted(one.New.Schedule), one.New.Action)
		case one.New == nil:
			fmt.Fprintf(&b, "- %s: removed; its history stays\n", one.Old.Name)
		default:
			fmt.Fprintf(&b, "~ %s: %s\n", one.New.Name, strings.Join(differences(*one.Old, *one.New), ", "))
		}
	}
	return b.String()
}
