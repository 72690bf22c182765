package jobs

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// key is one of a job in a file: how its value gets into the definition.
type key struct {
	name  string
	read  func(r *reader, d *Definition, v *yaml.Node)
	list  bool // its value may be one
	group bool // its value is a set of keys
}

// entryKeys are the names of all.
func entryKeys() []string {
	var list []string
	for _, k := range keys {
		list = append(list, k.name)
	}
	return list
}

var keys = []key{
	{name: "name", read: func(r *reader, d *Definition, v *yaml.Node) { r.name(v, "name"); d.Name = v.Value }},
	{name: "schedule", read: func(_ *reader, d *Definition, v *yaml.Node) { d.Schedule = v.Value }},
	{name: "time_zone", read: func(_ *reader, d *Definition, v *yaml.Node) { d.TimeZone = v.Value }},
	{name: "gap", read: func(r *reader, d *Definition, v *yaml.Node) { d.Gap = oneOf[Gap](r, v, "gap", gaps) }},
	{name: "fold", read: func(r *reader, d *Definition, v *yaml.Node) { d.Fold = oneOf[Fold](r, v, "fold", folds) }},
	{name: "starts", read: func(*reader, *Definition, *yaml.Node) {}}, // needs the time zone: see bounds
	{name: "ends", read: func(*reader, *Definition, *yaml.Node) {}},
	{name: "jitter", read: func(r *reader, d *Definition, v *yaml.Node) { d.Jitter = r.duration(v, "jitter", longestJitter) }},
	{name: "except", list: true, read: func(r *reader, d *Definition, v *yaml.Node) { d.Except = r.exceptions(v, "except") }},
	{name: "action", read: func(r *reader, d *Definition, v *yaml.Node) { r.name(v, "action"); d.Action = v.Value }},
	{name: "timeout", read: func(r *reader, d *Definition, v *yaml.Node) { d.Timeout = r.duration(v, "timeout", 0) }},
	{name: "stop_grace", read: func(r *reader, d *Definition, v *yaml.Node) {
		d.StopGrace = r.duration(v, "stop_grace", longestStopGrace)
	}},
	{name: "overlap", read: func(r *reader, d *Definition, v *yaml.Node) { d.Overlap = oneOf[Overlap](r, v, "overlap", overlaps) }},
	{name: "misfire", read: func(r *reader, d *Definition, v *yaml.Node) { d.Misfire = oneOf[Misfire](r, v, "misfire", misfires) }},
	{name: "misfire_limit", read: func(r *reader, d *Definition, v *yaml.Node) {
		d.MisfireLimit = r.number(v, "misfire_limit", 1, rowsAtOnce)
	}},
	{name: "catch_up", read: func(r *reader, d *Definition, v *yaml.Node) { d.CatchUp = r.duration(v, "catch_up", 0) }},
	{name: "retries", read: func(r *reader, d *Definition, v *yaml.Node) { d.Retries = r.number(v, "retries", 0, mostRetries) }},
	{name: "retry_after", read: func(r *reader, d *Definition, v *yaml.Node) { d.RetryAfter = r.duration(v, "retry_after", 0) }},
	{name: "retry_max", read: func(r *reader, d *Definition, v *yaml.Node) { d.RetryMax = r.duration(v, "retry_max", 0) }},
	{name: "while_away", read: func(r *reader, d *Definition, v *yaml.Node) {
		d.WhileAway = oneOf[WhileAway](r, v, "while_away", aways)
	}},
	{name: "on_lost", read: func(r *reader, d *Definition, v *yaml.Node) { d.OnLost = oneOf[OnLost](r, v, "on_lost", losses) }},
	{name: "priority", read: func(r *reader, d *Definition, v *yaml.Node) {
		d.Priority = r.number(v, "priority", -mostPriority, mostPriority)
	}},
	{name: "group", read: (*reader).group},
	{name: "requires", list: true, read: func(r *reader, d *Definition, v *yaml.Node) { d.Requires = r.tags(v, "requires") }},
	{name: "prefers", list: true, read: func(r *reader, d *Definition, v *yaml.Node) { d.Prefers = r.tags(v, "prefers") }},
	{name: "apart", read: func(r *reader, d *Definition, v *yaml.Node) { r.name(v, "apart"); d.Apart = v.Value }},
	{name: "params", group: true, read: func(r *reader, d *Definition, v *yaml.Node) { d.Params = r.params(v) }},
	{name: "keep", read: func(r *reader, d *Definition, v *yaml.Node) { d.Keep = r.span(v, "keep", time.Hour) }},
	{name: "long_after", read: func(r *reader, d *Definition, v *yaml.Node) { d.Long = r.span(v, "long_after", time.Millisecond) }},
	{name: "queue", read: func(r *reader, d *Definition, v *yaml.Node) {
		d.Queue = oneOf[string](r, v, "queue", []string{"true", "false"}) == "true"
	}},
	{name: "enabled", read: func(r *reader, d *Definition, v *yaml.Node) {
		d.Disabled = oneOf[string](r, v, "enabled", []string{"true", "false"}) == "false"
	}},
}

// value sets one field of a definition.
func (r *reader) value(d *Definition, name string, v *yaml.Node) {
	k := keys[slices.IndexFunc(keys, func(k key) bool { return k.name == name })]
	switch {
	case v.Kind == yaml.ScalarNode && v.Tag != "!!null" && !k.group, k.group && v.Kind == yaml.MappingNode, k.list && v.Kind == yaml.SequenceNode:
		k.read(r, d, v)
	default:
		r.fault(v, "%s must have a value", name)
	}
}

// schedule is faulted where the mistake is: in its zone, or in itself.
func (r *reader) schedule(d Definition, at map[string]*yaml.Node) {
	if _, err := loadZone(d.TimeZone); err != nil && at["time_zone"] != nil {
		r.fault(at["time_zone"], "%v", err)
		return
	}
	if _, err := Parse(d.Schedule, d.TimeZone); err != nil {
		r.fault(at["schedule"], "%v", err)
		return
	}
	if _, err := d.Timetable(); err != nil && at["except"] != nil {
		r.fault(at["except"], "%v", err)
	}
}

// bounds reads when a job starts and ends, in its time zone. The day on which it
// ends is one on which it is due.
func (r *reader) bounds(d *Definition, starts, ends *yaml.Node) {
	zone, err := loadZone(d.TimeZone)
	if err != nil {
		return // faulted by schedule
	}
	read := func(v *yaml.Node, key string, whole time.Duration) time.Time {
		if v == nil || v.Kind != yaml.ScalarNode || v.Tag == "!!null" {
			return time.Time{}
		}
		if t, err := time.ParseInLocation(time.DateOnly, v.Value, zone); err == nil {
			if whole > 0 {
				t = t.AddDate(0, 0, 1)
			}
			return t.UTC()
		}
		for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", time.RFC3339} {
			if t, err := time.ParseInLocation(layout, v.Value, zone); err == nil {
				return t.UTC()
			}
		}
		r.fault(v, "%s must be a day or an instant such as 2026-12-31 or 2026-12-31 08:00, not %q", key, v.Value)
		return time.Time{}
	}
	d.Starts, d.Ends = read(starts, "starts", 0), read(ends, "ends", 24*time.Hour)
	if !d.Ends.IsZero() && !d.Ends.After(d.Starts) {
		r.fault(ends, "the job ends before it starts")
	}
}

// duration reads one; most is its limit, 0 for none.
func (r *reader) duration(v *yaml.Node, key string, most time.Duration) time.Duration {
	d, err := time.ParseDuration(v.Value)
	switch {
	case err != nil || d <= 0 || d%time.Millisecond != 0:
		r.fault(v, "the %s %q must be a duration such as 90s or 10m", key, v.Value)
		return 0
	case most > 0 && d > most:
		r.fault(v, "the %s %v must be at most %v", key, d, most)
	}
	return d
}

func (r *reader) number(v *yaml.Node, key string, least, most int) int {
	n, err := strconv.Atoi(v.Value)
	if err != nil || n < least || n > most || v.Kind != yaml.ScalarNode {
		r.fault(v, "%s must be a number from %d to %d, not %q", key, least, most, v.Value)
		return least
	}
	return n
}

func oneOf[T ~string](r *reader, v *yaml.Node, key string, words []string) T {
	if !slices.Contains(words, v.Value) {
		r.fault(v, "%s must be %s, not %q%s", key, strings.Join(words, " or "), v.Value, orNearest(v.Value, words))
	}
	return T(v.Value)
}

// strings are the words of a list, or the one word.
func (r *reader) strings(v *yaml.Node, what string, do func(at *yaml.Node)) {
	switch v.Kind {
	case yaml.ScalarNode:
		do(v)
	case yaml.SequenceNode:
		for _, one := range v.Content {
			if one = resolved(one); one.Kind != yaml.ScalarNode || one.Tag == "!!null" {
				r.fault(one, "%s must be a list of words", what)
				continue
			}
			do(one)
		}
	default:
		r.fault(v, "%s must be a list of words", what)
	}
}

// exceptions reads when a job is not due; what is the name of a calendar stands
// for what that says.
func (r *reader) exceptions(v *yaml.Node, what string) []string {
	var list []string
	r.strings(v, what, func(at *yaml.Node) {
		if days, ok := r.calendars[at.Value]; ok {
			list = append(list, days...)
			return
		}
		if _, err := parseException(at.Value); err != nil {
			var known []string
			for name := range r.calendars {
				known = append(known, name)
			}
			slices.Sort(known)
			r.fault(at, "%s: %q is no calendar and no time%s; %v", what, at.Value, orNearest(at.Value, known), errException)
			return
		}
		list = append(list, strings.ToLower(strings.Join(strings.Fields(at.Value), " ")))
	})
	return list
}

func (r *reader) tags(v *yaml.Node, what string) []string {
	var list []string
	r.strings(v, what, func(at *yaml.Node) {
		if !tags().MatchString(at.Value) {
			r.fault(at, "the tag %q must be %s", at.Value, tagsRule)
		}
		list = append(list, at.Value)
	})
	slices.Sort(list)
	return slices.Compact(list)
}

func (r *reader) group(d *Definition, v *yaml.Node) {
	limit, ok := r.groups[v.Value]
	if !ok {
		var known []string
		for name := range r.groups {
			known = append(known, name)
		}
		slices.Sort(known)
		r.fault(v, "there is no group %q under groups%s", v.Value, orNearest(v.Value, known))
		return
	}
	d.Group, d.GroupLimit = v.Value, limit
}
