package main

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const goodSetup = `
setup: portal
nodes: [dev, app-a]
steps:
  - {name: pack, node: dev, run: [bundle, export, /opt/portal, --tier, dev, --out, /mnt/x.bundle]}
  - {name: look, node: app-a, run: [bundle, inspect, /mnt/x.bundle], of: pack}
  - {name: prove, node: app-a, run: [appdata, database, /opt/portal, --within, 5s], after: [], accept: [COT-321]}
  - {name: start, node: app-a, by_hand: start the portal, after: [look, prove]}
`

func TestAPlanIsReadAsItIsMeant(t *testing.T) {
	p, err := parseSetup([]byte(goodSetup))
	if err != nil {
		t.Fatal(err)
	}
	var after [][]string
	var verbs []string
	for _, s := range p.Steps {
		after, verbs = append(after, s.After), append(verbs, s.verb())
	}
	if diff := cmp.Diff([][]string{nil, {"pack"}, {}, {"look", "prove"}}, after); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"bundle export", "bundle inspect", "appdata database", "by hand"}, verbs); diff != "" {
		t.Errorf("verbs (-want +got):\n%s", diff)
	}
}

// What a plan says counts, not how it is written; what it says of each step does as well.
func TestAPlanIsKnownByWhatItSays(t *testing.T) {
	read := func(text string) *setupPlan {
		t.Helper()
		p, err := parseSetup([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := read(goodSetup)
	same := read("# a word\n" + strings.ReplaceAll(goodSetup, "after: []", "after: [ ]"))
	if same.digest() != first.digest() {
		t.Error("a comment makes another plan")
	}
	for _, change := range [][2]string{{"5s", "6s"}, {"after: [look, prove]", "after: [prove]"}, {"of: pack}", "after: [pack]}"}, {"the portal,", "the portals,"}, {"accept: [COT-321]", "accept: []"}, {"[dev, app-a]", "[dev, app-a, app-b]"}, {"setup: portal", "setup: gate"}} {
		other := read(strings.Replace(goodSetup, change[0], change[1], 1))
		if other.digest() == first.digest() {
			t.Errorf("%v makes no other plan", change)
		}
		if other.Steps[0].digest() != first.Steps[0].digest() {
			t.Errorf("%v makes another first step", change)
		}
	}
}

func TestWhatNoPlanIsIsTold(t *testing.T) {
	step := func(text string) string { return strings.Replace(goodSetup, "{name: pack, node: dev,", text, 1) }
	run := func(words string) string {
		return "setup: x\nnodes: [a]\nsteps:\n  - {name: s, node: a, run: [" + words + "]}\n"
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                 {"", "empty"},
		"no YAML":                 {"a: [", "line 1"},
		"a list":                  {"- a\n", "cannot unmarshal"},
		"two documents":           {goodSetup + "---\n" + goodSetup, "more than one document"},
		"broken second one":       {goodSetup + "---\na: [", "more than one document"},
		"too long":                {goodSetup + strings.Repeat("# x\n", mostSetup/4), "more than 256 KiB"},
		"deep":                    {"setup: " + strings.Repeat("[", 100_000), "depth"},
		"an alias":                {strings.Replace(goodSetup, "[dev, app-a]", "&n [dev, app-a]\nother: *n", 1), "anchors and aliases"},
		"a merge":                 {"<<: {setup: x, steps: [1]}\n" + goodSetup, "anchors and aliases"},
		"a key twice":             {goodSetup + "nodes: [x]\n", "already defined"},
		"no such key":             {strings.Replace(goodSetup, "nodes:", "nods:", 1), "there is no key nods"},
		"no such key of a step":   {step("{nam: pack, node: dev,"), "there is no key nam"},
		"no steps":                {"setup: x\nnodes: [a]\nsteps: []\n", "there are 0"},
		"an empty step":           {"setup: x\nnodes: [a]\nsteps: [null]\n", "line 3: there is nothing"},
		"an empty list":           {"setup: x\nnodes:\nsteps: []\n", "line 2: there is nothing"},
		"a missing word":          {run("bundle, ~, inspect, /a"), "line 4: there is nothing"},
		"a name of nothing":       {strings.Replace(goodSetup, "setup: portal", "setup: ''", 1), "no name"},
		"a name that steers":      {strings.Replace(goodSetup, "setup: portal", `setup: "a\e[2J"`, 1), "no name"},
		"a node twice":            {strings.Replace(goodSetup, "[dev,", "[dev, dev,", 1), "there twice"},
		"an unknown node":         {step("{name: pack, node: dew,"), `no node "dew"; did you mean dev?`},
		"a step twice":            {strings.Replace(goodSetup, "name: look", "name: pack", 1), "there twice"},
		"after itself":            {step("{name: pack, after: [pack], node: dev,"), "no step before it"},
		"a cycle":                 {step("{name: pack, after: [start], node: dev,"), "no step before it"},
		"of a step of no bundle":  {strings.Replace(goodSetup, "of: pack", "of: pakc", 1), "of a bundle export"},
		"of one not done before":  {strings.Replace(goodSetup, "of: pack}", "of: pack, after: []}", 1), "done before it"},
		"of, for another command": {strings.Replace(goodSetup, "after: [], accept", "of: pack, accept", 1), "a bundle import or inspect"},
		"accept what is broken":   {strings.Replace(goodSetup, "[COT-321]", "[COT-201]", 1), "accept"},
		"accept what is nothing":  {strings.Replace(goodSetup, "[COT-321]", "[COT-32]", 1), "accept"},
		"run and by_hand":         {step("{name: pack, by_hand: x, node: dev,"), "either run or by_hand"},
		"neither":                 {strings.Replace(goodSetup, "by_hand: start the portal", "by_hand: ''", 1), "either run or by_hand"},
		"two lines by hand":       {strings.Replace(goodSetup, "start the portal", `"a\nb"`, 1), "one line"},
		"accept by hand":          {strings.Replace(goodSetup, "by_hand: start", "accept: [COT-321], by_hand: start", 1), "without of and accept"},

		"no command":           {run("bundle"), "no command"},
		"an unknown command":   {run("bundle, exprot, /a"), "did you mean bundle export?"},
		"a shell":              {run("sh, -c, 'rm -r /'"), "no command"},
		"another of ours":      {run("schema, upgrade"), "no command"},
		"a flag first":         {run("--config=/x, bundle, inspect"), "no command"},
		"an unknown flag":      {run("bundle, inspect, /a, --trsut, /b"), "no flag --trsut"},
		"a flag without value": {run("bundle, inspect, /a, --trust"), "needs an argument"},
		"too few words":        {run("bundle, inspect"), "needs FILE"},
		"too many":             {run("bundle, inspect, /a, /b"), "was given"},
		"a flag of the line":   {run("bundle, inspect, /a, -n"), "--dry-run has no place"},
		"another cluster":      {run("appdata, loads, /a, --config, /x"), "--config has no place"},
		"what takes back":      {run("bundle, import, --undo, --into, /a"), "--undo has no place"},
		"what forgets":         {run("appdata, loads, --forget, x"), "--forget has no place"},
		"a relative path":      {run("bundle, inspect, a"), "no absolute path"},
		"a relative key":       {run("bundle, inspect, /a, --trust, b"), "no absolute path"},
		"a relative secret":    {run("appdata, settings, /a, --set-from, p#password=b"), "no absolute path"},
		"a password":           {run("appdata, settings, /a, --set, 'p#password=hush'"), "belongs into a file"},
		"one in a URL":         {run("appdata, database, /a, '--url=jdbc:postgresql://u:hush@db/x'"), "belongs into a file"},
		"an escape":            {run(`bundle, inspect, "/a\e[2J"`), "no word"},
		"a new line":           {run(`bundle, inspect, "/a\nb"`), "no word"},
		"an empty word":        {run(`bundle, inspect, ""`), "no word"},
		"a long word":          {run("bundle, inspect, /" + strings.Repeat("x", mostWord)), "no word"},
		"binary":               {run("bundle, inspect, !!binary L2EbWzJK"), "no word"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseSetup([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hush") || strings.ContainsAny(err.Error(), "\x1b")) {
				t.Errorf("told: %q", err)
			}
		})
	}
}

// The manual shows a plan that can be used.
func TestThePlanOfTheManualIsOne(t *testing.T) {
	text, err := os.ReadFile("../../docs/appdata.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```yaml\nsetup:")
	example, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("docs/appdata.md shows no plan")
	}
	if p, err := parseSetup([]byte("setup:" + example)); err != nil {
		t.Error(err)
	} else if len(p.Steps) < 5 {
		t.Errorf("it has %d steps", len(p.Steps))
	}
}

// A step is taken when its process was silent as long as this one has looked, and not
// when it was heard of meanwhile, or somebody else has taken it.
func TestOnlyWhoWasWatchedIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := settingUp{seen: map[string]sight{}}
		row := setupRow{Step: "pack", Token: 7}
		for _, c := range []struct {
			after        time.Duration
			token, beats int64
			want         bool
		}{
			{0, 7, 3, false}, {stepSilence, 7, 3, false}, {time.Second, 7, 3, true}, // watched from the first sight on
			{0, 7, 4, false}, {stepSilence, 7, 4, false}, {time.Second, 8, 4, false}, {stepSilence + 1, 8, 4, true},
		} {
			time.Sleep(c.after)
			row.Token, row.Beats = c.token, c.beats
			if got := v.silent(row); got != c.want {
				t.Errorf("%+v: got %v", c, got)
			}
		}
	})
}

// FuzzASetupPlan looks for files that end the program.
func FuzzASetupPlan(f *testing.F) {
	f.Add([]byte(goodSetup))
	f.Add([]byte("setup: x\nsteps: {a: [b]}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parseSetup(text)
		if err != nil {
			return
		}
		for i, s := range p.Steps {
			if s.verb() == "" || len(s.After) > i {
				t.Errorf("step %d: %+v", i, s)
			}
		}
	})
}
