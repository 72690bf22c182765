package jobs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Param is a value that an action takes, as the node's own configuration says.
// What the database holds is judged by it before anything starts.
type Param struct {
	Name     string
	Type     ParamType
	Min, Max int64          // of an int; of a text's bytes
	Words    []string       // that one of is one of
	Pattern  *regexp.Regexp // of a text; nil: any
	Default  string
	Optional bool // Default holds when nobody says
}

// ParamType is a type of values.
type ParamType string

const (
	IntParam  ParamType = "int"
	TextParam ParamType = "text"
	BoolParam ParamType = "bool"
	WordParam ParamType = "one of"
)

// refusal is a run that its node refuses to begin: the action never started.
type refusal struct{ why string }

func (r refusal) Error() string { return "refused: " + r.why }

// fill returns the values of all parameters that an action takes, or why it does
// not take what it was given.
func fill(takes []Param, given Params) (Params, error) {
	values := Params{}
	for _, p := range takes {
		value, said := given[p.Name]
		switch {
		case !said && !p.Optional:
			return nil, refusal{fmt.Sprintf("the parameter %s is not given", p.Name)}
		case !said:
			value = p.Default
		}
		if wrong := p.wrong(value); wrong != "" {
			return nil, refusal{fmt.Sprintf("the parameter %s %s", p.Name, wrong)}
		}
		values[p.Name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, taken := values[name]; !taken {
			return nil, refusal{fmt.Sprintf("the action takes no parameter %.40q", name)}
		}
	}
	return values, nil
}

// CheckParam says what is wrong with one value for an action that takes some.
func CheckParam(takes []Param, name, value string) error {
	i := slices.IndexFunc(takes, func(p Param) bool { return p.Name == name })
	if i < 0 {
		return refusal{fmt.Sprintf("the action takes no parameter %.40q", name)}
	}
	if wrong := takes[i].wrong(value); wrong != "" {
		return refusal{fmt.Sprintf("the parameter %s %s", name, wrong)}
	}
	return nil
}

// wrong says what is wrong with a value; "" for nothing. It never repeats a
// value as it is: it may be long, and ends up where people read.
func (p Param) wrong(value string) string {
	if text := checkText(value); text != "" {
		return text
	}
	switch p.Type {
	case IntParam:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != value {
			return fmt.Sprintf("is no whole number: %.40q", value)
		}
		if n < p.Min || n > p.Max {
			return fmt.Sprintf("is %d, and must be %d to %d", n, p.Min, p.Max)
		}
	case BoolParam, WordParam:
		if !slices.Contains(p.Words, value) {
			return fmt.Sprintf("is %.40q, and must be %s", value, strings.Join(p.Words, " or "))
		}
	default:
		switch {
		case strings.HasPrefix(value, "-"):
			return "begins with a dash: a program might take it for an option"
		case int64(len(value)) < p.Min || int64(len(value)) > p.Max:
			return fmt.Sprintf("has %d bytes, and must have %d to %d", len(value), p.Min, p.Max)
		case p.Pattern != nil && !p.Pattern.MatchString(value):
			return fmt.Sprintf("is %.40q, which does not match %s", value, p.Pattern)
		}
	}
	return ""
}

// typed is a value as SQL takes it.
func (p Param) typed(value string) any {
	switch p.Type {
	case IntParam:
		n, err := strconv.ParseInt(value, 10, 64)
		if err == nil {
			return n
		}
	case BoolParam:
		return value == "true"
	}
	return value
}

// placeholder is {NAME} where a value goes.
var placeholder = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{[a-z][a-z0-9_]{0,31}\}`) })

// expand puts values where their names stand. What is no parameter stays as it is.
func (p Params) expand(text string, quote func(value string) string) string {
	if len(p) == 0 {
		return text
	}
	return placeholder().ReplaceAllStringFunc(text, func(found string) string {
		value, ok := p[strings.Trim(found, "{}")]
		if !ok {
			return found
		}
		return quote(value)
	})
}

func asIs(value string) string { return value }

// env are the values for a program.
func (p Params) env() []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		env = append(env, "COTERIE_PARAM_"+strings.ToUpper(name)+"="+p[name])
	}
	return env
}
