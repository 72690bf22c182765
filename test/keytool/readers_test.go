package keytool

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/keystore"
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
	form             keystore.Format
	pass, keyPass    keystore.Password
}

const samples = "../../keystore/testdata"

// rewritten writes all samples anew, in each form that can hold them.
func rewritten(t *testing.T) []written {
	t.Helper()
	dir := t.TempDir()
	list, err := os.ReadFile(filepath.Join(samples, "files.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var all []written
	n := 0
	for line := range strings.Lines(string(list)) {
		f := strings.Fields(line)
		n++
		if strings.HasPrefix(f[len(f)-1], "error:") || testing.Short() && n%8 != 2 {
			continue
		}
		pass := keystore.Passwords{Store: keystore.Password(strings.TrimPrefix(f[1], "-"))}
		if f[2] != "-" {
			pass.Keys = []keystore.Password{keystore.Password(f[2])}
		}
		data, err := os.ReadFile(filepath.Join(samples, "files", f[0]))
		if err != nil {
			t.Fatal(err)
		}
		s, err := keystore.Read(data, pass)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []keystore.Format{keystore.PKCS12, keystore.JKS} {
			all = append(all, write(t, dir, f[0], s, pass, form)...)
		}
	}
	return all
}

// write writes a store in one form, if that can hold it.
func write(t *testing.T, dir, name string, s *keystore.Store, pass keystore.Passwords, form keystore.Format) []written {
	t.Helper()
	p := pass.Store
	if form == keystore.PKCS12 && strings.ContainsFunc(string(p), func(r rune) bool { return r > '~' }) || p == "" {
		p = "changeit"
	}
	closed := slices.ContainsFunc(s.Entries, keystore.Entry.Sealed)
	out, err := keystore.Write(s, form, p)
	if closed && s.Format != form {
		return nil // its own form only; package keystore's tests say so
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	w := written{name: name + " as " + string(form), path: filepath.Join(dir, name+"."+string(form)), form: form, pass: p, want: seenByJava(s)}
	if len(pass.Keys) > 0 {
		w.keyPass = pass.Keys[0]
	}
	if err := os.WriteFile(w.path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return []written{w}
}

// seenByJava is what Java finds in a store, in the words of files.txt; "" where
// something stays closed to it.
func seenByJava(s *keystore.Store) string {
	var seen []string
	for _, e := range s.Entries {
		if e.Sealed() && e.Kind == keystore.Key {
			return ""
		}
		if e.Kind != keystore.Loose && (len(e.Chain) > 0 || e.Sealed()) {
			alias := strings.ReplaceAll(strings.ToLower(e.Alias), " ", "_")
			seen = append(seen, fmt.Sprintf("%s:%s:%d", e.Kind, alias, len(e.Chain)))
		}
	}
	slices.Sort(seen)
	return strings.Join(seen, " ")
}

func TestJavaOpensWhatIsWritten(t *testing.T) {
	javac, java := need(t, "javac"), need(t, "java")
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), javac, "-d", dir, samples+"/Make.java").CombinedOutput(); err != nil {
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
	asked := map[keystore.Format]int{}
	for _, w := range rewritten(t) {
		if w.form == keystore.PKCS12 {
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
