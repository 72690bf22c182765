package jobs

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// OnRequest is the schedule of a job whose runs are those that are asked for.
const OnRequest = "@request"

// Params are values that a job or a request hands to an action. They are bounded
// here and in the database; which of them there may be, and of what type, the
// action says that takes them (see Param).
type Params map[string]string

const (
	paramsMost = 32
	paramSize  = 1000 // bytes of a value
)

// paramNames is what parameters may be called; the database holds the same rule.
var paramNames = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`) })

// String lists the parameters in the order of names.
func (p Params) String() string {
	if len(p) == 0 {
		return "none"
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		list = append(list, name+"="+p[name])
	}
	return strings.Join(list, " ")
}

// Scan reads them as the database has them.
func (p *Params) Scan(from any) error {
	if *p = nil; from == nil {
		return nil
	}
	text, ok := from.([]byte)
	if !ok {
		return fmt.Errorf("parameters are not read from %T", from)
	}
	return json.Unmarshal(text, (*map[string]string)(p))
}

// check returns all that is wrong with them.
func (p Params) check() []error {
	var errs []error
	if len(p) > paramsMost {
		errs = append(errs, fmt.Errorf("there are %d parameters, and at most %d are taken", len(p), paramsMost))
	}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if !paramNames().MatchString(name) {
			errs = append(errs, fmt.Errorf("the parameter %.80q must be lower-case letters, digits and underscore, at most 32, beginning with a letter", name))
		}
		if wrong := checkText(p[name]); wrong != "" {
			errs = append(errs, fmt.Errorf("parameter %.80s %s", name, wrong))
		}
	}
	return errs
}

// checkText says what is wrong with a value before anything is known of its type.
func checkText(value string) string {
	switch {
	case len(value) > paramSize:
		return fmt.Sprintf("has %d bytes, and at most %d are taken", len(value), paramSize)
	case !utf8.ValidString(value):
		return "is no valid text"
	case strings.ContainsFunc(value, unicode.IsControl):
		return "has a control character (a new line, a tab, a NUL)"
	}
	return ""
}

// ParseParams reads what follows --param: NAME=VALUE each.
func ParseParams(words []string) (Params, error) {
	p := Params{}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if _, again := p[name]; !ok || again {
			return nil, fmt.Errorf("a parameter is NAME=VALUE, each name once, and not %.80q", word)
		}
		p[name] = value
	}
	for _, err := range p.check() {
		return nil, err
	}
	return p, nil
}

// with are the parameters of a job with those of a request over them.
func (p Params) with(others Params) Params {
	if len(others) == 0 {
		return p
	}
	all := maps.Clone(p)
	if all == nil {
		all = Params{}
	}
	maps.Copy(all, others)
	return all
}

// params reads the parameters of an entry.
func (r *reader) params(m *yaml.Node) Params {
	if m.Kind != yaml.MappingNode {
		r.fault(m, "params are NAME: VALUE, such as days: 90")
		return nil
	}
	p := Params{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], resolved(m.Content[i+1])
		if _, again := p[key.Value]; again {
			r.fault(key, "the parameter %s is said twice", key.Value)
		}
		if value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
			r.fault(value, "the parameter %s must be one value", key.Value)
			continue
		}
		p[key.Value] = value.Value
		for _, err := range (Params{key.Value: value.Value}).check() {
			r.fault(value, "%v", err)
		}
	}
	if len(p) > paramsMost {
		r.fault(m, "there are %d parameters, and at most %d are taken", len(p), paramsMost)
	}
	return p
}

// span reads a length of time, which may be in days.
func (r *reader) span(v *yaml.Node, key string, least time.Duration) time.Duration {
	d, err := parseSpan(v.Value)
	if err != nil || d < least || d%time.Millisecond != 0 || d > 36500*24*time.Hour {
		r.fault(v, "%s %q must be a time such as 90s, 12h or 30d, and at least %v", key, v.Value, least)
	}
	return d
}

func parseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		d, err := time.ParseDuration(days + "h")
		return 24 * d, err
	}
	return time.ParseDuration(text)
}
