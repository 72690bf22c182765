package appdata

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Merged is the class of files that each node has of its own but for some of
// their fields: they are compared without those. See Merge.
const Merged Class = "field_merged"

// Equal says which files that a node has of its own must be as on the other nodes.
//
//	Paths   conf/server.xml, patches, lib/*.jar    a folder is all that is in it
//	Ignore  *.log, conf/local                      a pattern without a slash is for last parts of paths
//	Secret  conf/*.keystore                        compared, and never shown
//	Merge   in which files which fields may differ
//
// Patterns are those of path.Match, of paths below the node's root, wherever
// that is.
type Equal struct {
	Paths  []string `json:"paths"`
	Ignore []string `json:"ignore,omitempty"`
	Secret []string `json:"secret,omitempty"`
	Merge  []Merge  `json:"merge,omitempty"`
}

// Check finds what no scan could use.
func (q Equal) Check() error {
	for _, pattern := range slices.Concat(q.Paths, q.Secret, q.Ignore) {
		if err := checkPattern(pattern); err != nil {
			return err
		}
	}
	for _, m := range q.Merge {
		if err := m.check(); err != nil {
			return err
		}
	}
	return nil
}

func checkPattern(pattern string) error {
	_, err := path.Match(pattern, "")
	if err != nil || pattern == "" || path.Clean(pattern) != pattern || path.IsAbs(pattern) || pattern == ".." || strings.HasPrefix(pattern, "../") {
		return fmt.Errorf("%q is no pattern of a path below the root, such as conf/*.xml", pattern)
	}
	return nil
}

// Name tells one set of rules from another.
func (q Equal) Name() string {
	text, err := json.Marshal(q)
	if err != nil {
		panic(err) // strings alone cannot fail
	}
	sum := sha256.Sum256(text)
	return "equal-" + hex.EncodeToString(sum[:6])
}

// Skips is for Scanner.Skip: a path that neither is to be equal nor leads to one
// that is.
func (q Equal) Skips(name string) bool {
	if q.Ignores(name) {
		return true
	}
	return !q.has(name) && !q.Leads(name)
}

// Ignores looks at one path; a scan asks for those above it before. What Coterie keeps
// below a root, such as what an import has replaced, is no file of the application's.
func (q Equal) Ignores(name string) bool {
	last := name[strings.LastIndexByte(name, '/')+1:]
	return name == dirName || litter(last) || slices.ContainsFunc(q.Ignore, func(pattern string) bool {
		return fits(pattern, name) || !strings.Contains(pattern, "/") && fits(pattern, last)
	})
}

// litter is what the patterns of ignore fit, without a matcher: a scan asks for each name.
func litter(last string) bool {
	for _, begin := range [...]string{".nfs", ".fuse_hidden"} {
		if strings.HasPrefix(last, begin) {
			return true
		}
	}
	for _, end := range [...]string{".tmp", ".swp", "~", ".pid", ".lock"} {
		if strings.HasSuffix(last, end) {
			return true
		}
	}
	return false
}

// Leads says that a path can be a folder on the way to files that are to be equal,
// and no more: such a folder is not compared itself.
func (q Equal) Leads(name string) bool {
	return !q.has(name) && slices.ContainsFunc(q.Paths, func(pattern string) bool {
		parts, way := strings.Split(pattern, "/"), strings.Split(name, "/")
		return len(way) < len(parts) && fits(strings.Join(parts[:len(way)], "/"), name)
	})
}

// has says that a path is to be equal, itself or by a folder above it.
func (q Equal) has(name string) bool { return within(q.Paths, name) }

func within(patterns []string, name string) bool {
	for part := name; part != "." && part != "/"; part = path.Dir(part) {
		if slices.ContainsFunc(patterns, func(pattern string) bool { return fits(pattern, part) }) {
			return true
		}
	}
	return slices.Contains(patterns, ".")
}

// fits is path.Match; a bad pattern fits nothing, and Check finds it.
func fits(pattern, name string) bool {
	matched, _ := path.Match(pattern, name)
	return matched
}

// Has says whether a path below the root is one that must be equal, and so one that
// may be written at an operator's word.
func (q Equal) Has(name string) bool {
	for part := name; part != "." && part != "/"; part = path.Dir(part) {
		if q.Ignores(part) {
			return false
		}
	}
	return q.has(name)
}

// Class says what the file at a path is.
func (q Equal) Class(name string) Class {
	switch {
	case !q.Has(name):
		return PerHost
	case within(q.Secret, name):
		return Secret
	case len(q.merges(name)) > 0:
		return Merged
	}
	return Shared
}

// merges are the rules for one file.
func (q Equal) merges(name string) []Merge {
	var rules []Merge
	for _, m := range q.Merge {
		if fits(m.Path, name) {
			rules = append(rules, m)
		}
	}
	return rules
}

// Merge declares fields of a file that may differ from node to node. Exactly one
// of XML, Property and Line is set.
type Merge struct {
	Path     string `json:"path"`               // pattern
	XML      string `json:"xml,omitempty"`      // Server/Service/Connector@port: an attribute, by the elements above it
	Property string `json:"property,omitempty"` // pattern of a key of a properties file
	Line     string `json:"line,omitempty"`     // regular expression: lines in which it is found
}

// ParseMerge reads a rule of one kind (xml, property or line) as the configuration
// writes it: a pattern of files, a number sign, the field.
func ParseMerge(kind, text string) (Merge, error) {
	file, field, found := strings.Cut(text, "#")
	m := Merge{Path: file}
	switch {
	case !found || field == "":
		return m, fmt.Errorf("%q names no field; write FILE#FIELD", text)
	case kind == "xml":
		m.XML = field
	case kind == "property":
		m.Property = field
	default:
		m.Line = field
	}
	return m, m.check()
}

func (m Merge) check() error {
	if err := checkPattern(m.Path); err != nil {
		return err
	}
	var err error
	switch {
	case m.XML != "":
		elements, attribute, found := strings.Cut(m.XML, "@")
		if _, err = path.Match(m.XML, ""); err == nil && (!found || elements == "" || attribute == "" || strings.ContainsAny(attribute, "@/")) {
			return fmt.Errorf("%q names no attribute; write it like Server/Service/Connector@port", m.XML)
		}
	case m.Property != "":
		_, err = path.Match(m.Property, "")
	default:
		_, err = regexp.Compile(m.Line)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", m.Path, err)
	}
	return nil
}

// Normalises is for Scanner.Normal.
func (q Equal) Normalises(name string) (normal func(text []byte) ([]byte, error), wanted bool) {
	if len(q.merges(name)) == 0 {
		return nil, false
	}
	return func(text []byte) ([]byte, error) { return q.Normal(name, text) }, true
}
