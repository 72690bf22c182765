package jobs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Fault is one thing that is wrong with a file of jobs.
type Fault struct {
	Line, Column int
	Text         string
}

func (f Fault) Error() string { return fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Text) }

// Faults is everything that is wrong with a file of jobs, from its top to its
// end, so that one reading is enough to mend it.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// ParseFile reads the definitions from a file such as
//
//	jobs:
//	  - name: audit-purge
//	    schedule: "@every 15m"
//	    action: audit-purge
//	    timeout: 10m
//
// Its error is a Faults. Which actions exist it cannot know: see CheckActions.
func ParseFile(text []byte) ([]Definition, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var top, next yaml.Node
	if err := decoder.Decode(&top); errors.Is(err, io.EOF) {
		return nil, Faults{{1, 1, `the file is empty; it begins with "jobs:"`}}
	} else if err != nil {
		return nil, notYAML(err)
	}
	if err := decoder.Decode(&next); err == nil {
		return nil, Faults{{next.Line, max(next.Column, 1), "a file holds one document; what follows the second --- would be lost"}}
	} else if !errors.Is(err, io.EOF) {
		return nil, notYAML(err)
	}
	var r reader
	r.file(top.Content[0])
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b Fault) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, r.faults
	}
	return r.found, nil
}

// notYAML finds the line in what the library says.
func notYAML(err error) Faults {
	line, text := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if _, scanErr := fmt.Sscanf(text, "line %d:", &line); scanErr == nil {
		_, text, _ = strings.Cut(text, ": ")
	}
	return Faults{{line, 1, text}}
}

// reader gathers definitions and what is wrong with them.
type reader struct {
	found  []Definition
	faults Faults
}

func (r *reader) fault(at *yaml.Node, format string, args ...any) {
	r.faults = append(r.faults, Fault{at.Line, at.Column, fmt.Sprintf(format, args...)})
}

func (r *reader) file(top *yaml.Node) {
	if top.Kind != yaml.MappingNode {
		r.fault(top, `the file must begin with "jobs:"`)
		return
	}
	lists := 0
	r.each(top, []string{"jobs"}, func(_ string, list *yaml.Node) {
		lists++
		if list.Kind != yaml.SequenceNode {
			r.fault(list, `jobs must be a list: each job begins with "- name:"`)
			return
		}
		lines := map[string]int{}
		for _, entry := range list.Content {
			r.entry(resolved(entry), lines)
		}
	})
	if lists == 0 {
		r.fault(top, `there is no "jobs:"`)
	}
}

func resolved(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// each calls do for the values of a mapping, and faults keys that are unknown or
// said twice.
func (r *reader) each(m *yaml.Node, keys []string, do func(key string, value *yaml.Node)) {
	lines := map[string]int{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := m.Content[i]
		switch before, again := lines[key.Value]; {
		case !slices.Contains(keys, key.Value):
			r.fault(key, "unknown key %q%s", key.Value, orNearest(key.Value, keys))
		case again:
			r.fault(key, "%s is said before, in line %d", key.Value, before)
		default:
			lines[key.Value] = key.Line
			do(key.Value, resolved(m.Content[i+1]))
		}
	}
}

var entryKeys = []string{"name", "schedule", "time_zone", "action", "timeout", "overlap", "misfire", "enabled"}

func (r *reader) entry(entry *yaml.Node, lines map[string]int) {
	if entry.Kind != yaml.MappingNode {
		r.fault(entry, "a job is a set of keys: name, schedule, action and others")
		return
	}
	d := Definition{}.withDefaults()
	at := map[string]*yaml.Node{}
	before := len(r.faults)
	r.each(entry, entryKeys, func(key string, value *yaml.Node) {
		at[key] = value
		r.value(&d, key, value)
	})
	for _, key := range []string{"name", "schedule", "action"} {
		if at[key] == nil {
			r.fault(entry, "the job has no %s", key)
		}
	}
	if at["schedule"] != nil {
		r.schedule(d, at["schedule"], at["time_zone"])
	}
	if name := at["name"]; name != nil {
		if line, again := lines[d.Name]; again {
			r.fault(name, "job %q is there before, in line %d", d.Name, line)
		} else {
			lines[d.Name] = name.Line
		}
	}
	if len(r.faults) == before {
		r.found = append(r.found, d)
	}
}

// schedule is faulted where the mistake is: in its zone, or in itself.
func (r *reader) schedule(d Definition, at, zone *yaml.Node) {
	if _, err := loadZone(d.TimeZone); err != nil && zone != nil {
		r.fault(zone, "%v", err)
		return
	}
	if _, err := Parse(d.Schedule, d.TimeZone); err != nil {
		r.fault(at, "%v", err)
	}
}

// value sets one field of a definition.
func (r *reader) value(d *Definition, key string, v *yaml.Node) {
	if v.Kind != yaml.ScalarNode || v.Tag == "!!null" {
		r.fault(v, "%s must have a value", key)
		return
	}
	switch key {
	case "name":
		r.name(v, key)
		d.Name = v.Value
	case "action":
		r.name(v, key)
		d.Action = v.Value
	case "schedule":
		d.Schedule = v.Value
	case "time_zone":
		d.TimeZone = v.Value
	case "timeout":
		timeout, err := time.ParseDuration(v.Value)
		if err != nil || timeout <= 0 || timeout%time.Millisecond != 0 {
			r.fault(v, "the timeout %q must be a duration such as 90s or 10m", v.Value)
		}
		d.Timeout = timeout
	case "overlap":
		r.oneOf(v, key, string(OverlapSkip))
		d.Overlap = Overlap(v.Value)
	case "misfire":
		r.oneOf(v, key, string(MisfireOnce), string(MisfireSkip), string(MisfireAll))
		d.Misfire = Misfire(v.Value)
	case "enabled":
		r.oneOf(v, key, "true", "false")
		d.Disabled = v.Value == "false"
	}
}

func (r *reader) name(v *yaml.Node, key string) {
	if !names.MatchString(v.Value) {
		r.fault(v, "the %s %q must be %s", key, v.Value, namesRule)
	}
}

func (r *reader) oneOf(v *yaml.Node, key string, words ...string) {
	if !slices.Contains(words, v.Value) {
		r.fault(v, "%s must be %s, not %q%s", key, strings.Join(words, " or "), v.Value, orNearest(v.Value, words))
	}
}

// CheckActions returns an error for each job whose action is none of those that
// nodes define, joined: such a job would wait for a node that does.
func CheckActions(jobs []Definition, defined []string) error {
	var errs []error
	for _, d := range jobs {
		if !slices.Contains(defined, d.Action) {
			errs = append(errs, fmt.Errorf("job %s: no node defines the action %q%s", d.Name, d.Action, orNearest(d.Action, defined)))
		}
	}
	return errors.Join(errs...)
}

// orNearest proposes the word that was probably meant.
func orNearest(word string, words []string) string {
	best, least := "", 3
	for _, w := range words {
		if d := distance(word, w); d < least && d < len(w) {
			best, least = w, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// distance counts the letters to change, add or remove to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
