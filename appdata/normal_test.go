package appdata

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func rulesOf(t *testing.T) Equal {
	t.Helper()
	q := Equal{Paths: []string{"conf", "patches", "lib/*.jar", "a/*/c.xml"}, Ignore: []string{"*.log", "conf/local"}, Secret: []string{"conf/*.keystore"}}
	for kind, text := range map[string]string{
		"xml": "conf/*.xml#Server/Service/Connector@port", "property": "conf/*.properties#server.*", "line": `conf/*.sh#^JAVA_HOME=`,
	} {
		m, err := ParseMerge(kind, text)
		if err != nil {
			t.Fatal(err)
		}
		q.Merge = append(q.Merge, m)
	}
	return q
}

// wording is a text with fields that may differ and others that may not.
type wording struct {
	name  string
	write func(may, must string) string
}

func wordings() []wording {
	return []wording{
		{"conf/server.xml", func(may, must string) string {
			return fmt.Sprintf("<?xml version='1.0'?>\n<!-- <Connector port=\"1\"/> -->\n<Server port=\"%s\"><Service>\n<Connector a='>' port = \"%s\" b=\"%s\"/><x:Connector port='%s'/></Service></Server>\n", must, may, must, must)
		}},
		{"conf/installed.properties", func(may, must string) string {
			return fmt.Sprintf("# server.host=x%s\nserver.host = %s\\\n   %s\n mode:%s\nserver\\.port %s\r\nother=server.host=%s", must, may, may, must, may, must)
		}},
		{"conf/setenv.sh", func(may, must string) string {
			return fmt.Sprintf("#!/bin/sh\nJAVA_HOME=%s\nOPTS=%s # JAVA_HOME=\r\n", may, must)
		}},
	}
}

func phrase(r *rand.Rand) string {
	const letters = "abcxyz0189./-_ "
	var b strings.Builder
	b.WriteByte('v')
	for range r.IntN(12) {
		b.WriteByte(letters[r.IntN(len(letters))])
	}
	return b.String() + "v"
}

func TestOnlyDeclaredFieldsMayDiffer(t *testing.T) {
	q, r := rulesOf(t), rand.New(rand.NewPCG(1, 2))
	normal := func(name, text string) string {
		t.Helper()
		n, err := q.Normal(name, []byte(text))
		if err != nil {
			t.Fatalf("%s: %v in %q", name, err, text)
		}
		return string(n)
	}
	for _, w := range wordings() {
		for range 500 {
			may, must := phrase(r), phrase(r)
			text := w.write(may, must)
			base := normal(w.name, text)
			if other := normal(w.name, w.write(phrase(r), must)); other != base {
				t.Fatalf("%s: a field that may differ is compared:\n%q\n%q", w.name, base, other)
			}
			if other := normal(w.name, w.write(may, must+"z")); other == base {
				t.Fatalf("%s: a field that may not differ is not compared: %q", w.name, base)
			}
			// Whatever else is changed by a byte is seen, or makes the text one that cannot be understood.
			at := r.IntN(len(text))
			changed := []byte(text)
			if changed[at] ^= 1; changed[at] == 0 {
				continue
			}
			n, err := q.Normal(w.name, changed)
			if err == nil && string(n) == base && !insideField(text, may, at) {
				t.Fatalf("%s: byte %d of %q is not compared", w.name, at, text)
			}
		}
	}
}

// insideField says whether a byte is of a field that may differ, or on its line.
func insideField(text, may string, at int) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], may)
		if i < 0 {
			return false
		}
		begin := from + i
		// The value of a property goes on after a backslash.
		if at >= begin-5 && at < begin+len(may)+5 {
			return true
		}
		from = begin + 1
	}
}

func TestHostileTextsCostAnErrorAndNothingElse(t *testing.T) {
	q := rulesOf(t)
	for what, text := range map[string]string{
		"unclosed":  "<Server><Service>",
		"crossed":   "<Server></Service>",
		"deep":      strings.Repeat("<a>", 100_000),
		"entities":  `<!DOCTYPE x [<!ENTITY a "&b;&b;"><!ENTITY b "c">]><Server a="&a;"/>`,
		"latin":     "<?xml version='1.0' encoding='ISO-8859-1'?><Server a='\xe9'/>",
		"NUL":       "<Server a='\x00any\x00'/>",
		"too large": strings.Repeat(" ", MaxText+1),
	} {
		if _, err := q.Normal("conf/server.xml", []byte(text)); err == nil {
			t.Errorf("%s: was understood", what)
		}
	}
	q.Merge = nil
	if n, err := q.Normal("conf/server.xml", []byte("<x")); err != nil || !bytes.Equal(n, []byte("<x")) {
		t.Errorf("without rules: %q, %v", n, err)
	}
}

func TestRulesSayWhatIsLookedAt(t *testing.T) {
	q := rulesOf(t)
	for _, c := range []struct {
		path  string
		skip  bool
		leads bool
		class Class
	}{
		{"conf", false, false, Shared},
		{"conf/server.xml", false, false, Merged},
		{"conf/tls.keystore", false, false, Secret},
		{"conf/local", true, false, PerHost},
		{"conf/server.log", true, false, PerHost},
		{"lib", false, true, PerHost},
		{"lib/x.jar", false, false, Shared},
		{"lib/x.txt", true, false, PerHost},
		{"a/b", false, true, PerHost},
		{"a/b/c.xml", false, false, Shared},
		{"a/b/d.xml", true, false, PerHost},
		{"var", true, false, PerHost},
	} {
		if got := q.Skips(c.path); got != c.skip {
			t.Errorf("Skips(%s) = %v", c.path, got)
		}
		if got := q.Leads(c.path) && !q.Skips(c.path); got != c.leads {
			t.Errorf("Leads(%s) = %v", c.path, got)
		}
		if got := q.Class(c.path); got != c.class {
			t.Errorf("Class(%s) = %s, want %s", c.path, got, c.class)
		}
	}
	for _, wrong := range []string{"", "/etc", "../x", "a//b", "[", "a/../b"} {
		if (Equal{Paths: []string{wrong}}).Check() == nil {
			t.Errorf("%q is taken for a pattern", wrong)
		}
	}
	for kind, wrong := range map[string]string{"xml": "conf/x.xml#Server", "property": "conf/x", "line": "conf/x#["} {
		if _, err := ParseMerge(kind, wrong); err == nil {
			t.Errorf("%s %q is taken for a rule", kind, wrong)
		}
	}
}

func TestWhatCoterieKeepsIsNotCompared(t *testing.T) {
	q := Equal{Paths: []string{"."}}
	for name, want := range map[string]bool{".coterie": true, ".coterie/bundle/1.done/old/0": true, "conf/.coterie": false, "conf": false} {
		if got := !q.Has(name); got != want {
			t.Errorf("%s: ignored %v, want %v", name, got, want)
		}
	}
	if !q.Skips(".coterie") {
		t.Error("a scan goes into it")
	}
}
