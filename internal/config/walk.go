package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// follow resolves an alias and counts, so that a file of aliases to aliases
// ends. Recursion is bounded by the table of keys.
func (r *reader) follow(n *yaml.Node) *yaml.Node {
	if r.nodes++; r.nodes == mostNodes {
		r.fault(r.at(n), "", "the file unfolds to more than %d values", mostNodes)
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func (r *reader) exhausted() bool { return r.nodes >= mostNodes }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// mapping reads one group. path is the group's place in the file
// (actions[2].http), pattern its place in the table (actions[].http).
func (r *reader) mapping(n *yaml.Node, path, pattern string) map[string]any {
	n = r.follow(n)
	if n.Kind != yaml.MappingNode {
		name := path
		if name == "" {
			name = "the file"
		}
		r.fault(r.at(n), path, "%s: %s is not a group of keys", name, describe(n))
		return nil
	}
	values := map[string]any{}
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content) && !r.exhausted(); i += 2 {
		key, value := r.follow(n.Content[i]), r.follow(n.Content[i+1])
		name := key.Value
		if key.Kind != yaml.ScalarNode {
			r.fault(r.at(key), path, "a key must be a word")
			continue
		}
		if before := first[name]; before != nil {
			r.fault(r.at(key), join(path, name), "%s stands here a second time; first at %d:%d", join(path, name), before.Line, before.Column)
			continue
		}
		first[name] = key
		if strings.ContainsAny(name, ".[]") {
			r.fault(r.at(key), join(path, name), "unknown key %q%s", join(path, name), dotted(join(pattern, name), r.keys))
			continue
		}
		if v, ok := r.member(key, value, join(path, name), join(pattern, name)); ok {
			values[name] = v
		}
	}
	return values
}

// dotted explains a key that is written as it is spoken of.
func dotted(pattern string, keys map[string]Key) string {
	if _, ok := keys[pattern]; !ok {
		return ""
	}
	group, name, _ := strings.Cut(pattern, ".")
	return fmt.Sprintf("; write it in its group, %s: {%s: ...}", group, name)
}

// member reads the value of one key: another group, a list of groups, or a leaf.
func (r *reader) member(key, value *yaml.Node, path, pattern string) (any, bool) {
	leaf, isLeaf := r.keys[pattern]
	switch {
	case isLeaf:
		r.origins[path] = r.at(key)
		return r.leaf(leaf, value, path)
	case r.groups[pattern]:
		r.origins[path] = r.at(key)
		if isNull(value) {
			return nil, false // an empty group keeps its defaults
		}
		group := r.mapping(value, path, pattern)
		return group, group != nil
	case r.groups[pattern+"[]"]:
		if isNull(value) {
			return nil, false
		}
		return r.list(value, path, pattern+"[]")
	}
	r.unknown(key, path, pattern)
	return nil, false
}

// list reads a list of groups.
func (r *reader) list(n *yaml.Node, path, pattern string) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		r.fault(r.at(n), path, "%s: %s is not a list (begin each member with \"- name:\")", path, describe(n))
		return nil, false
	}
	var members []any
	for i, item := range n.Content {
		if r.exhausted() {
			break
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		r.origins[at] = r.at(item)
		if group := r.mapping(item, at, pattern); group != nil {
			members = append(members, group)
		} else {
			members = append(members, map[string]any{})
		}
	}
	return members, true
}

// leaf reads one value, or a list of plain values.
func (r *reader) leaf(key Key, n *yaml.Node, path string) (any, bool) {
	switch {
	case isNull(n):
		r.fault(r.at(n), path, "%s has no value; write one or remove the line", path)
		return nil, false
	case key.kind.list:
		return r.words(key, n, path)
	case n.Kind != yaml.ScalarNode:
		r.fault(r.at(n), path, "%s: %s is not a %s", path, describe(n), oneWord(key.kind))
		return nil, false
	}
	value, wrong := key.kind.parse(n.Value)
	if wrong != "" {
		r.fault(r.at(n), path, "%s: %s %s", path, key.kind.quote(n.Value), wrong)
		return nil, false
	}
	return value, true
}

func oneWord(k kind) string {
	if k.name == boolean.name {
		return "true or a false"
	}
	return k.name
}

// words reads a list of plain values.
func (r *reader) words(key Key, n *yaml.Node, path string) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		hint := "write [a, b]"
		if strings.HasSuffix(key.Name, "command") {
			hint = `there is no shell; write ["/opt/app/bin/tool", "--days", "90"]`
		}
		r.fault(r.at(n), path, "%s: %s is not a list (%s)", path, describe(n), hint)
		return nil, false
	}
	var items []string
	for i, item := range n.Content {
		if r.exhausted() {
			break
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		item = r.follow(item)
		r.origins[at] = r.at(item)
		if item.Kind != yaml.ScalarNode || isNull(item) {
			r.fault(r.at(item), path, "%s: %s is not a text", at, describe(item))
			continue
		}
		if _, wrong := parseText(item.Value); wrong != "" {
			r.fault(r.at(item), path, "%s: %s %s", at, text.quote(item.Value), wrong)
			continue
		}
		items = append(items, item.Value)
	}
	return items, true
}

// describe shows what stands where something else was expected.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a group of keys"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if isNull(n) {
			return "nothing"
		}
		return text.quote(n.Value)
	}
	return "an alias"
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// unknown tells of a key that is not in the table. The key that was probably
// meant is not told to be missing as well.
func (r *reader) unknown(key *yaml.Node, path, pattern string) {
	hint := ""
	near, sibling := meant(pattern)
	switch {
	case key.Value == "<<":
		hint = "; merge keys are not read"
	case near != "":
		hint = fmt.Sprintf("; did you mean %q?", near)
		if sibling {
			near = strings.TrimSuffix(path, key.Value) + near
		}
		r.missed[near] = true
	}
	r.fault(r.at(key), path, "unknown key %q%s", path, hint)
}

// meant finds what an unknown key was meant to be: a sibling that is spelled
// alike, or a key of this very name in another group, the shortest one.
func meant(pattern string) (name string, sibling bool) {
	at := strings.LastIndexByte(pattern, '.') + 1
	parent, name := pattern[:at], pattern[at:]
	var siblings []string
	elsewhere := ""
	for _, k := range Keys() {
		if rest, ok := strings.CutPrefix(k.Name, parent); ok {
			word, _, _ := strings.Cut(rest, ".")
			siblings = append(siblings, strings.TrimSuffix(word, "[]"))
		}
		if strings.HasSuffix(k.Name, "."+name) && !strings.Contains(k.Name, "[]") && (elsewhere == "" || len(k.Name) < len(elsewhere)) {
			elsewhere = k.Name
		}
	}
	if near := Nearest(name, slices.Compact(siblings)); near != "" {
		return near, true
	}
	return elsewhere, false
}
