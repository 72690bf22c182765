package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// setupPlan is what the file of coterie appdata setup says.
type setupPlan struct {
	Name  string      `yaml:"setup" json:"setup"`
	Nodes []string    `yaml:"nodes" json:"nodes"`
	Steps []setupStep `yaml:"steps" json:"steps"`
}

// setupStep is one of our own commands, or something that people do.
type setupStep struct {
	Name   string   `yaml:"name" json:"name"`
	Node   string   `yaml:"node" json:"node"`
	Run    []string `yaml:"run" json:"run,omitempty"`         // words of the command
	ByHand string   `yaml:"by_hand" json:"by_hand,omitempty"` // what somebody is to do
	Of     string   `yaml:"of" json:"of,omitempty"`           // step whose bundle it must be
	Accept []string `yaml:"accept" json:"accept,omitempty"`   // problems with which it is done all the same
	After  []string `yaml:"after" json:"after"`               // if none are named, the one before it
}

// byHand stands where a step of people has no verb.
const byHand = "by hand"

func (s *setupStep) verb() string {
	if s.ByHand != "" {
		return byHand
	}
	return strings.Join(s.Run[:2], " ")
}

func (s *setupStep) digest() string { return digestOf(s) }
func (p *setupPlan) digest() string { return digestOf(p) }
func digestOf(what any) string {
	text, err := json.Marshal(what)
	if err != nil {
		panic(err) // texts and lists of them
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// What nobody writes by hand.
const (
	mostSetup = 256 << 10 // bytes of the file
	mostSteps = 500
	mostWord  = 4096 // bytes
)

// setupVerbs are the commands that can be steps: each can be repeated, and finds what it
// has done before. Of their flags those are left out that take something back.
var setupVerbs = []string{"bundle export", "bundle inspect", "bundle import", "appdata settings", "appdata database", "appdata loads"}

func readSetup(name string) (*setupPlan, error) {
	fault := func(err error) error { return problem.New("COT-324", nil, "%s: %v", name, err) }
	info, err := os.Stat(name) // before it is opened: a pipe would wait for somebody to write
	if err != nil {
		return nil, fault(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fault(errors.New("is no regular file"))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fault(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostSetup+1))
	if err != nil {
		return nil, fault(err)
	}
	p, err := parseSetup(text)
	if err != nil {
		return nil, fault(err)
	}
	return p, nil
}

// parseSetup reads a plan; its error names all that is wrong, each with its line.
func parseSetup(text []byte) (*setupPlan, error) {
	if len(text) > mostSetup {
		return nil, fmt.Errorf("it has more than %d KiB", mostSetup>>10)
	}
	lines, err := stepLines(text)
	if err != nil {
		return nil, said(err)
	}
	p := new(setupPlan)
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(p); err != nil {
		return nil, said(err)
	}
	return p, p.check(lines)
}

var noKey = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`field (.*) not found in type \S+`) })

// said is what the reader of YAML says, in our words and on one line.
func said(err error) error {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n")
	return errors.New(table.Safe(noKey().ReplaceAllString(strings.TrimSpace(text), "there is no key $1")))
}

// stepLines are the lines at which the steps begin. A document that refers to parts of
// itself, or is not the only one, is none that people would read as it is meant.
func stepLines(text []byte) ([]int, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var top, next yaml.Node
	if err := d.Decode(&top); errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty")
	} else if err != nil {
		return nil, err
	}
	if err := d.Decode(&next); !errors.Is(err, io.EOF) {
		return nil, errors.New("it holds more than one document")
	}
	var lines []int
	var walk func(n *yaml.Node) error
	walk = func(n *yaml.Node) error {
		if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Tag == "!!merge" {
			return fmt.Errorf("line %d: anchors and aliases are not taken", n.Line)
		}
		if n.Tag == "!!null" { // which would be passed over
			return fmt.Errorf("line %d: there is nothing where something must be", n.Line)
		}
		for i, child := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "steps" && lines == nil {
				for _, step := range child.Content {
					lines = append(lines, step.Line)
				}
			}
			if err := walk(child); err != nil {
				return err
			}
		}
		return nil
	}
	return lines, walk(&top)
}

var setupName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`) })

func (p *setupPlan) check(lines []int) error {
	var wrong []error
	tell := func(format string, args ...any) {
		wrong = append(wrong, errors.New(table.Safe(fmt.Sprintf(format, args...))))
	}
	if !setupName().MatchString(p.Name) {
		tell("setup: %q is no name of a-z 0-9 . -", p.Name)
	}
	for i, node := range p.Nodes {
		if !setupName().MatchString(node) || slices.Contains(p.Nodes[:i], node) {
			tell("nodes: %q is no name of a-z 0-9 . -, or there twice", node)
		}
	}
	if len(p.Steps) == 0 || len(p.Steps) > mostSteps {
		tell("steps: there are %d, and there must be 1 to %d", len(p.Steps), mostSteps)
		return errors.Join(wrong...)
	}
	before := map[string]map[string]bool{} // by step: those that are done before it
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.After == nil && i > 0 {
			s.After = []string{p.Steps[i-1].Name}
		}
		for _, fault := range p.faults(s, i, before) {
			tell("line %d: step %s: %v", lines[i], s.Name, fault)
		}
	}
	return errors.Join(wrong...)
}

// faults are those of a step; before grows by it.
func (p *setupPlan) faults(s *setupStep, place int, before map[string]map[string]bool) (wrong []error) {
	tell := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if _, again := before[s.Name]; again || !setupName().MatchString(s.Name) {
		tell("%q is no name of a-z 0-9 . -, or there twice", s.Name)
	}
	if !slices.Contains(p.Nodes, s.Node) {
		tell("no node %q%s", s.Node, meant(s.Node, p.Nodes))
	}
	all := map[string]bool{}
	for _, name := range s.After {
		earlier, known := before[name]
		if !known {
			tell("after %q, which is no step before it", name)
			continue
		}
		all[name] = true
		for one := range earlier {
			all[one] = true
		}
	}
	before[s.Name] = all
	for _, code := range s.Accept {
		if e, known := problem.Lookup(code); !known || e.Exit != problem.ExitDegraded {
			tell("accept %q, which is no problem that leaves something that works", code)
		}
	}
	if (s.ByHand == "") == (len(s.Run) == 0) {
		tell("must have either run or by_hand")
		return wrong
	}
	if s.ByHand != "" {
		if table.Safe(s.ByHand) != s.ByHand || len(s.ByHand) > mostWord || s.Of != "" || s.Accept != nil {
			tell("by_hand is one line of text, without of and accept")
		}
		return wrong
	}
	if err := checkRun(s.Run); err != nil {
		tell("%v", err)
		return wrong
	}
	if s.Of != "" {
		made := slices.IndexFunc(p.Steps[:place], func(one setupStep) bool {
			return one.Name == s.Of && slices.Equal(one.Run[:min(2, len(one.Run))], []string{"bundle", "export"})
		})
		if made < 0 || !all[s.Of] || s.verb() != "bundle import" && s.verb() != "bundle inspect" {
			tell("of %q: a bundle import or inspect, of a bundle export that is done before it", s.Of)
		}
	}
	return wrong
}

func meant(word string, words []string) string {
	if near := config.Nearest(word, words); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// checkRun says whether words are a command that can be a step.
func checkRun(run []string) error {
	verb := strings.Join(run[:min(2, len(run))], " ")
	if !slices.Contains(setupVerbs, verb) {
		return fmt.Errorf("no command %q%s: steps are %s", verb, meant(verb, setupVerbs), strings.Join(setupVerbs, ", "))
	}
	for i, word := range run {
		file := strings.HasPrefix(word, "--set-from=") || run[max(i-1, 0)] == "--set-from"
		switch {
		case word == "" || len(word) > mostWord || table.Safe(word) != word:
			return fmt.Errorf("%q is no word for a command line", word[:min(len(word), 100)])
		case !file && migrate.WithoutSecrets(word) != word:
			return fmt.Errorf("%s: a password belongs into a file: --set-from", migrate.WithoutSecrets(word))
		}
	}
	probe := &cli{out: io.Discard, err: io.Discard}
	cmd, _, err := probe.root().Find(run[:2])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(run[2:]); err != nil {
		return errors.New(asProblem(flagProblem(cmd, err)).What)
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return errors.New(asProblem(err).What)
	}
	paths := cmd.Flags().Args()
	var wrong error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case cmd.InheritedFlags().Lookup(f.Name) != nil || slices.Contains([]string{"undo", "forget", "help", "digest"}, f.Name):
			wrong = fmt.Errorf("--%s has no place in a plan", f.Name)
		case slices.Contains([]string{"out", "into", "key"}, f.Name):
			paths = append(paths, f.Value.String())
		case f.Name == "trust":
			paths = append(paths, f.Value.(pflag.SliceValue).GetSlice()...)
		case f.Name == "set-from":
			for _, one := range f.Value.(pflag.SliceValue).GetSlice() {
				_, file, _ := strings.Cut(one, "=")
				paths = append(paths, file)
			}
		case f.Name == "profile" && strings.ContainsAny(f.Value.String(), "/."):
			paths = append(paths, f.Value.String())
		}
	})
	for _, at := range paths {
		if !filepath.IsAbs(at) {
			return fmt.Errorf("%q is no absolute path, and the command is repeated elsewhere", at)
		}
	}
	return wrong
}
