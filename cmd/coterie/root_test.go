package main

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coterie-ha/coterie/internal/problem"
)

func verbs(t *testing.T) []*cobra.Command {
	t.Helper()
	var all []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		all = append(all, cmd)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk((&cli{}).root())
	return all
}

func ours(cmd *cobra.Command) bool {
	return !strings.HasPrefix(cmd.CommandPath(), "coterie completion") && cmd.Name() != "help"
}

func TestEveryVerbIsExplainedWithExamples(t *testing.T) {
	for _, cmd := range verbs(t) {
		if !ours(cmd) {
			continue
		}
		path := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") || cmd.Short[:1] != strings.ToUpper(cmd.Short[:1]) {
			t.Errorf("%s: short %q", path, cmd.Short)
		}
		if !strings.Contains(cmd.Example, "coterie") {
			t.Errorf("%s has no example", path)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s is not explained", path, f.Name)
			}
		})
	}
}

func TestHelpFitsInto80Columns(t *testing.T) {
	for _, cmd := range verbs(t) {
		if !ours(cmd) {
			continue
		}
		var b bytes.Buffer
		cmd.SetOut(&b)
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("%s: %s", cmd.CommandPath(), line)
			}
		}
	}
}

func TestEveryVerbHasAManualPage(t *testing.T) {
	for _, cmd := range verbs(t) {
		var b strings.Builder
		if err := page(&b, cmd); err != nil {
			t.Fatal(err)
		}
		for _, section := range []string{".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH EXIT STATUS"} {
			if !strings.Contains(b.String(), section) {
				t.Errorf("%s: no %s", cmd.CommandPath(), section)
			}
		}
	}
}

// slipped is a word with a letter wrong, missing or too many, or two swapped.
func slipped(r *rand.Rand, word string) string {
	letters := []byte(word)
	at := 1 + r.IntN(len(letters)-1)
	switch r.IntN(4) {
	case 0:
		letters[at] = 'a' + byte(r.IntN(26))
	case 1:
		letters = append(letters[:at], letters[at+1:]...)
	case 2:
		letters = append(letters[:at], append([]byte{'a' + byte(r.IntN(26))}, letters[at:]...)...)
	default:
		letters[at-1], letters[at] = letters[at], letters[at-1]
	}
	return string(letters)
}

// What is suggested is at least as near as what was meant.
func TestASlipInAVerbOrFlagIsUnderstood(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var words, flags []string
	root := (&cli{}).root()
	for _, cmd := range root.Commands() {
		if ours(cmd) && !cmd.Hidden {
			words = append(words, cmd.Name())
		}
	}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { flags = append(flags, "--"+f.Name) })
	for range 500 {
		word := words[r.IntN(len(words))]
		flag := flags[r.IntN(len(flags))]
		for _, args := range [][]string{{slipped(r, word)}, {"version", "--" + slipped(r, strings.TrimPrefix(flag, "--"))}} {
			if len(args[0]) < 4 || slices.Contains(words, args[0]) || len(args) > 1 && (len(args[1]) < 6 || slices.Contains(flags, args[1])) {
				continue
			}
			var out, err bytes.Buffer
			code := (&cli{in: &out, out: &out, err: &err}).run(t.Context(), args)
			if code != 2 || !strings.Contains(err.String(), "Did you mean") {
				t.Errorf("%q: exit %d: %s", args, code, err.String())
			}
		}
	}
}

// A remedy that names a command which is not there helps nobody.
func TestRemediesNameCommandsThatThereAre(t *testing.T) {
	root := (&cli{}).root()
	named := 0
	for _, e := range problem.Table() {
		for _, command := range regexp.MustCompile(`\bcoterie((?: [a-z]+)+)`).FindAllStringSubmatch(e.Remedy, -1) {
			words := strings.Fields(command[1])
			if words[0] == "that" || slices.Contains(strings.Fields(e.Remedy), "systemctl") {
				continue
			}
			named++
			if found, _, err := root.Find(words); err != nil || found == root {
				t.Errorf("%s: %q: there is no command %q", e.Code, e.Remedy, words[0])
			}
		}
	}
	if named < 10 {
		t.Errorf("only %d remedies name a command: this test sees nothing", named)
	}
}
