package config

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/viper"
)

// What viper would do by itself. Each test shows the trap first where it can,
// so that a later viper without it lets the rule go too.

func TestTrapAVariableWithoutALineInTheFileReachesTheStruct(t *testing.T) {
	t.Setenv("TRAP_NODE_ADDRESS", "10.0.0.1")
	v := viper.New()
	v.SetEnvPrefix("trap")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	var raw struct{ Node Node }
	if err := v.Unmarshal(&raw); err != nil || raw.Node.Address != "" {
		t.Errorf("viper sees the variable by now, the rule may go: %+v, %v", raw, err)
	}
	if c := must(t, least, "COTERIE_NODE_ADDRESS=10.0.0.1"); c.Node.Address != "10.0.0.1" {
		t.Errorf("node.address = %q", c.Node.Address)
	}
}

func TestTrapCapitalsAreKept(t *testing.T) {
	c := must(t, least+`
actions:
  - {name: a, command: [/Opt/Tool, -X], env: [JAVA_HOME=/Jdk, java_home=/other]}
  - {name: b, http: {url: "http://Host/Path", headers: ["X-Token: Abc"]}}
`)
	if diff := cmp.Diff([]string{"JAVA_HOME=/Jdk", "java_home=/other"}, c.Actions[0].Env); diff != "" {
		t.Error(diff)
	}
	if got := c.Actions[0].Command[0] + c.Actions[1].HTTP.Headers[0]; got != "/Opt/ToolX-Token: Abc" {
		t.Errorf("got %q", got)
	}
}

func TestTrapNamesWithDotsStayWhole(t *testing.T) {
	c := must(t, least+"node: {name: a.b.c}\nactions: [{name: node.name, command: [/x]}]\n")
	if c.Node.Name != "a.b.c" || c.Actions[0].Name != "node.name" {
		t.Errorf("got %q, %q", c.Node.Name, c.Actions[0].Name)
	}
}

func TestTrapANumberIsNotADuration(t *testing.T) {
	v := viper.New()
	v.Set("drain.deadline", 15)
	var raw struct{ Drain Drain }
	if err := v.Unmarshal(&raw); err != nil || raw.Drain.Deadline != 15*time.Nanosecond {
		t.Errorf("viper makes %v of 15 by now, the rule may go: %v", raw.Drain.Deadline, err)
	}
	if got := faults(t, least+"drain: {deadline: 15}\n"); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestTrapAVersionKeepsItsDigits(t *testing.T) {
	if c := must(t, least+"app: {version: 1.10}\n"); c.App.Version != "1.10" {
		t.Errorf("app.version = %q, want 1.10", c.App.Version)
	}
}

func TestTrapAnEmptyGroupKeepsItsDefaults(t *testing.T) {
	c := must(t, least+"database:\nactions:\nlog: ~\n")
	if c.Database.PoolSize != 4 || c.Log.Level != "info" {
		t.Errorf("got %+v, %+v", c.Database, c.Log)
	}
}

func TestTrapAnEmptyVariableCountsAsUnset(t *testing.T) {
	if c := must(t, least, "COTERIE_LOG_LEVEL=", "COTERIE_DATABASE_POOL_SIZE="); c.Log.Level != "info" || c.Database.PoolSize != 4 {
		t.Errorf("got %+v", c)
	}
}

func TestTrapACommaInATextIsNotAList(t *testing.T) {
	c := must(t, least+"node: {tags: ['a']}\nactions: [{name: a, command: [/x, 'a,b']}]\n")
	if diff := cmp.Diff([]string{"/x", "a,b"}, c.Actions[0].Command); diff != "" {
		t.Error(diff)
	}
	if got := faults(t, least+"node: {tags: 'a,b'}\n"); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestTrapTwoLoadsShareNothing(t *testing.T) {
	var loads sync.WaitGroup
	for i := range 8 {
		loads.Go(func() {
			m := testMachine(t)
			c, err := m.install(t, least, fmt.Sprintf("COTERIE_NODE_NAME=node-%d", i))
			if err != nil || c.Node.Name != fmt.Sprintf("node-%d", i) {
				t.Errorf("node-%d: got %+v, %v", i, c, err)
			}
		})
	}
	loads.Wait()
	if keys := viper.AllKeys(); len(keys) > 0 {
		t.Errorf("the global viper has %q", keys)
	}
}

func TestAFileOfAliasesEnds(t *testing.T) {
	var b strings.Builder
	b.WriteString(least + "actions:\n  - &a {name: a, command: [/x")
	for range 1000 {
		b.WriteString(", y")
	}
	b.WriteString("]}\n")
	for range 100_000 {
		b.WriteString("  - *a\n")
	}
	begun := time.Now()
	got := faults(t, b.String())
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if !strings.Contains(strings.Join(got, "\n"), "the file unfolds to more than 100000 values") {
		t.Errorf("got %d faults", len(got))
	}
}

func TestAnAliasStandsForItsValue(t *testing.T) {
	c := must(t, least+`
actions:
  - {name: a, command: [/x], env: &env [A=1]}
  - {name: b, command: [/y], env: *env}
`)
	if diff := cmp.Diff([]string{"A=1"}, c.Actions[1].Env); diff != "" {
		t.Error(diff)
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		example, least, "", "a: &a [*a]\n", "actions: &a [*a]\n", "? [x]\n: y\n", "node: {name: !!binary x}\n", "<<: {a: b}\n",
		"- a\n", "\xff\xfe", "a\x00b", "%YAML 1.1\n---\n", "cluster: |\n  a\n", "node.name: x\n", "actions[]: {}\n", "database: {dsn: \"a='\\\\\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newReader("/etc/coterie/coterie.yaml")
		values := r.readYAML(data)
		c, err := layers{file: values}.merge()
		if err != nil {
			t.Fatalf("what the walk let through does not decode: %v", err)
		}
		c.file, c.origins = r.file, r.origins
		thisMachine.derive(c, r)
		r.check(c, environment{"PATH": "/bin"})
		for _, fault := range r.sorted() {
			if fault.Text == "" {
				t.Errorf("empty text at %+v", fault)
			}
		}
		c.Settings()
	})
}
