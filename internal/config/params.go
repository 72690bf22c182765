package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Param is a value that a job may hand to an action. It is written as one text:
//
//	days int 1..365 = 90          a whole number, 90 when nobody says
//	mode one of full,quick        one of these words, which must be said
//	dry bool = false
//	repo text 1..40 = main ~ ^[a-z-]+$
//
// A text never begins with a dash, so that no program takes it for an option.
type Param struct {
	Name     string
	Type     string // int, bool, text or one of
	Min, Max int64  // of an int; for a text of its bytes
	Words    []string
	Pattern  *regexp.Regexp // nil: any
	Default  string
	Optional bool // there is a default
}

var paramName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`) })

// longestText is how many bytes a text has at most when its bounds are not said.
const longestText = 200

// ParseParam reads what an action takes.
func ParseParam(text string) (Param, error) {
	text, pattern, patterned := strings.Cut(text, " ~ ")
	text, otherwise, optional := strings.Cut(text, " = ")
	if !optional {
		text, optional = strings.CutSuffix(strings.TrimRight(text, " "), " =") // empty
	}
	words := strings.Fields(text)
	if len(words) < 2 {
		return Param{}, fmt.Errorf("%q is not NAME TYPE, such as: days int 1..365 = 90", text)
	}
	p := Param{Name: words[0], Type: words[1], Default: strings.TrimSpace(otherwise), Optional: optional}
	if !paramName().MatchString(p.Name) {
		return Param{}, fmt.Errorf("%q is no name: lower-case letters, digits and underscore, at most 32", p.Name)
	}
	if err := p.parseType(words[2:]); err != nil {
		return Param{}, err
	}
	if patterned {
		if p.Type != "text" {
			return Param{}, fmt.Errorf("%s: only a text has a pattern", p.Name)
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return Param{}, fmt.Errorf("%s: %w", p.Name, err)
		}
		p.Pattern = re
	}
	return p, nil
}

func (p *Param) parseType(rest []string) (err error) {
	switch p.Type {
	case "bool":
		p.Words = []string{"true", "false"}
		if len(rest) > 0 {
			err = fmt.Errorf("%s: a bool has no bounds", p.Name)
		}
	case "one":
		p.Type = "one of"
		if len(rest) < 2 || rest[0] != "of" {
			return fmt.Errorf("%s: write one of a,b,c", p.Name)
		}
		p.Words = strings.FieldsFunc(strings.Join(rest[1:], ","), func(c rune) bool { return c == ',' })
		if slices.ContainsFunc(p.Words, func(w string) bool { return strings.HasPrefix(w, "-") }) {
			err = fmt.Errorf("%s: a word begins with a dash, and a program might take it for an option", p.Name)
		}
	case "int", "text":
		p.Min, p.Max = 0, longestText
		if p.Type == "int" && len(rest) == 0 {
			return fmt.Errorf("%s: an int needs bounds, such as 1..365", p.Name)
		}
		if len(rest) > 0 {
			err = p.parseBounds(rest)
		}
	default:
		err = fmt.Errorf("%s: there is no type %q; there are int, text, bool and one of", p.Name, p.Type)
	}
	return err
}

func (p *Param) parseBounds(rest []string) error {
	low, high, ok := strings.Cut(rest[0], "..")
	least, err1 := strconv.ParseInt(low, 10, 64)
	most, err2 := strconv.ParseInt(high, 10, 64)
	if !ok || err1 != nil || err2 != nil || least > most || len(rest) > 1 {
		return fmt.Errorf("%s: the bounds are not LEAST..MOST, such as 1..365", p.Name)
	}
	if p.Type == "text" && (least < 0 || most > 1000) {
		return fmt.Errorf("%s: a text has at most 1000 bytes", p.Name)
	}
	p.Min, p.Max = least, most
	return nil
}

// placeholder is {NAME} in an argument, an address, a body or a statement.
var placeholder = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{[a-z][a-z0-9_]{0,31}\}`) })

// unknownPlaceholders are those that no parameter fills.
func unknownPlaceholders(text string, params []string) []string {
	var unknown []string
	for _, found := range placeholder().FindAllString(text, -1) {
		if !slices.Contains(params, strings.Trim(found, "{}")) {
			unknown = append(unknown, found)
		}
	}
	return unknown
}

// checkParams judges what an action takes, and returns the names.
func (r *reader) checkParams(a *Action, path string) []string {
	var names []string
	for i, text := range a.Params {
		p, err := ParseParam(text)
		switch {
		case err != nil:
			r.judge(path+".params", fmt.Sprintf("member %d: %v", i, err))
		case slices.Contains(names, p.Name):
			r.judge(path+".params", fmt.Sprintf("has %s twice", p.Name))
		}
		names = append(names, p.Name)
	}
	return names
}
