package keystore

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var allKeytool = flag.Bool("keytool", false, "let keytool list each file that is written, not a few of them: a minute or two")

// need finds a program, or tells loudly that the test is not made without it.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("COTERIE_CI") != "" {
		t.Fatalf("%s is not here: make tomcat", name)
	}
	t.Skipf("NOT TESTED: %s is not here. make tomcat installs it", name)
	return ""
}

// written is a file of ours, and what others must find in it.
type written struct {
	name, path, want string
	form             Format
	pass, keyPass    Password
}

// rewritten writes all samples anew, in each form that can hold them.
func rewritten(t *testing.T) []written {
	t.Helper()
	dir := t.TempDir()
	var all []written
	for i, f := range samples(t) {
		if f.fails != nil || testing.Short() && i%8 != 1 {
			continue
		}
		s, err := Read(f.bytes(t), f.pass)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []Format{PKCS12, JKS} {
			pass := f.pass.Store
			if form == PKCS12 && asciiPassword(pass) != nil || pass == "" {
				pass = "changeit"
			}
			if cannotHold(s, form) {
				continue
			}
			out, err := Write(s, form, pass)
			if err != nil {
				t.Fatalf("%s: %v", f.name, err)
			}
			w := written{name: f.name + " as " + string(form), path: filepath.Join(dir, f.name+"."+string(form)), form: form, pass: pass}
			if len(f.pass.Keys) > 0 {
				w.keyPass = f.pass.Keys[0]
			}
			if err := os.WriteFile(w.path, out, 0o600); err != nil {
				t.Fatal(err)
			}
			w.want = seenByJava(s)
			all = append(all, w)
		}
	}
	return all
}

// seenByJava is the summary of a store without what Java does not show; "" where
// something stays closed to it.
func seenByJava(s *Store) string {
	var seen Store
	for _, e := range s.Entries {
		if e.Sealed() && e.Kind == Key {
			return ""
		}
		if e.Kind != Loose && len(e.Chain)+len(e.sealed) > 0 {
			e.Alias = lower(e.Alias)
			seen.Entries = append(seen.Entries, e)
		}
	}
	return strings.Join(summary(&seen), " ")
}

func TestJavaOpensWhatIsWritten(t *testing.T) {
	javac, java := need(t, "javac"), need(t, "java")
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), javac, "-d", dir, "testdata/Make.java").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files := rewritten(t)
	var in bytes.Buffer
	for _, w := range files {
		fmt.Fprintf(&in, "%s\t%s\t%s\t%s\n", w.form, w.path, string(w.pass), string(w.keyPass))
	}
	ask := exec.CommandContext(t.Context(), java, "-cp", dir, "-Dfile.encoding=UTF-8", "Make", "tell")
	ask.Stdin = &in
	out, err := ask.Output()
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, found, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		said[path] = strings.ReplaceAll(found, "größe 漢字", "größe_漢字")
	}
	opened := 0
	for _, w := range files {
		switch got := said[w.path]; {
		case w.want == "" && strings.Contains(got, "failed: java.io"), w.want != "" && got != w.want:
			t.Errorf("%s: Java finds %q, want %q", w.name, got, w.want)
		default:
			opened++
		}
	}
	t.Logf("Java opened %d of %d files and signed with each key", opened, len(files))
	if len(files) < 100 && !testing.Short() {
		t.Errorf("%d files", len(files))
	}
}

func TestKeytoolAndOpenSSLOpenWhatIsWritten(t *testing.T) {
	keytool, openssl := need(t, "keytool"), need(t, "openssl")
	asked := map[Format]int{}
	for _, w := range rewritten(t) {
		if w.form == PKCS12 {
			out, err := exec.CommandContext(t.Context(), openssl, "pkcs12", "-in", w.path, "-passin", "pass:"+string(w.pass), "-noout", "-nokeys").CombinedOutput()
			if err != nil {
				t.Errorf("%s: OpenSSL: %v\n%s", w.name, err, out)
			}
		}
		if asked[w.form]++; asked[w.form] > 1 && !*allKeytool {
			continue
		}
		out, err := exec.CommandContext(t.Context(), keytool, "-J-Dfile.encoding=UTF-8", "-list", "-keystore", w.path, "-storetype", string(w.form), "-storepass", string(w.pass)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: keytool: %v\n%s", w.name, err, out)
		}
	}
	t.Logf("asked about %v", asked)
}
