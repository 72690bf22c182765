package jobs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

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
//	calendars:
//	  holidays: ["12-25", "2026-04-06", sun]
//	groups:
//	  reports: 2
//	jobs:
//	  - name: audit-purge
//	    schedule: "@every 15m"
//	    action: audit-purge
//	    timeout: 10m
//	    except: [holidays, "mon-fri 08:00-18:00"]
//	    group: reports
//
// Calendars and groups are words of the file: each job carries what they say. Its
// error is a Faults. Which actions exist it cannot know: see CheckActions.
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
	found     []Definition
	faults    Faults
	calendars map[string][]string // what each means
	groups    map[string]int      // how many runs of each may be open
}

func (r *reader) fault(at *yaml.Node, format string, args ...any) {
	r.faults = append(r.faults, Fault{at.Line, at.Column, fmt.Sprintf(format, args...)})
}

func (r *reader) file(top *yaml.Node) {
	if top.Kind != yaml.MappingNode {
		r.fault(top, `the file must begin with "jobs:"`)
		return
	}
	parts := map[string]*yaml.Node{}
	r.each(top, []string{"calendars", "groups", "jobs"}, func(key string, value *yaml.Node) { parts[key] = value })
	r.words(parts["calendars"], parts["groups"])
	list := parts["jobs"]
	switch {
	case list == nil:
		r.fault(top, `there is no "jobs:"`)
		return
	case list.Kind != yaml.SequenceNode:
		r.fault(list, `jobs must be a list: each job begins with "- name:"`)
		return
	}
	lines := map[string]int{}
	for _, entry := range list.Content {
		r.entry(resolved(entry), lines)
	}
}

// words reads what the jobs of the file refer to.
func (r *reader) words(calendars, groups *yaml.Node) {
	r.calendars, r.groups = map[string][]string{}, map[string]int{}
	r.named(calendars, "calendars", func(name string, value *yaml.Node) {
		r.calendars[name] = r.exceptions(value, "calendar "+name)
	})
	r.named(groups, "groups", func(name string, value *yaml.Node) {
		r.groups[name] = r.number(value, "group "+name, 1, 10000)
	})
}

func (r *reader) named(m *yaml.Node, what string, do func(name string, value *yaml.Node)) {
	if m == nil {
		return
	}
	if m.Kind != yaml.MappingNode {
		r.fault(m, "%s must be names with values", what)
		return
	}
	var keys []string
	for i := 0; i < len(m.Content); i += 2 {
		if r.name(m.Content[i], "name"); names().MatchString(m.Content[i].Value) {
			keys = append(keys, m.Content[i].Value)
		}
	}
	if len(keys)*2 == len(m.Content) {
		r.each(m, keys, do)
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

func (r *reader) entry(entry *yaml.Node, lines map[string]int) {
	if entry.Kind != yaml.MappingNode {
		r.fault(entry, "a job is a set of keys: name, schedule, action and others")
		return
	}
	d := Definition{}.withDefaults()
	at := map[string]*yaml.Node{}
	before := len(r.faults)
	r.each(entry, entryKeys(), func(key string, value *yaml.Node) {
		at[key] = value
		r.value(&d, key, value)
	})
	r.bounds(&d, at["starts"], at["ends"])
	for _, key := range []string{"name", "schedule", "action"} {
		if at[key] == nil && !(d.Queue && key == "schedule") {
			r.fault(entry, "the job has no %s", key)
		}
	}
	switch {
	case d.Queue && at["schedule"] != nil:
		r.fault(at["schedule"], "a job with queue: true has no schedule: its runs are those that are asked for")
	case d.Queue:
		d.Schedule = OnRequest
	case at["schedule"] != nil:
		r.schedule(d, at)
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

func (r *reader) name(v *yaml.Node, key string) {
	if !names().MatchString(v.Value) {
		r.fault(v, "the %s %q must be %s", key, v.Value, namesRule)
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
