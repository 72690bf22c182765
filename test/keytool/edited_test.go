package keytool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/internal/properties"
)

const editedKey = "server.appdata.dir"

// generated is a properties file as nobody would write it: comments, blanks, each
// separator, escapes, lines that go on, and ends of lines of all kinds, mixed.
func generated(r *rand.Rand) string {
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	end := func() string { return one("\n", "\r\n", "\r") }
	word := func() string {
		var b strings.Builder
		for range r.IntN(8) {
			b.WriteString(one("a", "B", "7", ".", "_", "\xe9", "\xff", "\\ ", "\\=", "\\:", "\\t", "\\n", "\\\\", "\\q", "\\u00fc", "\\u20ac", "\\u0000", "#", "!", "\\"+end()+one("", " ", "\t\f")))
		}
		return b.String()
	}
	key := func() string {
		if r.IntN(4) > 0 {
			return word()
		}
		// The key itself, in a spelling of its own.
		return one(editedKey, "server\\.appdata\\.dir", "\\u0073erver.appdata.dir", "server.app\\"+end()+"  data.dir", "serv\\er.appdata.dir", "server.appdata.dir\\ ", "Server.appdata.dir")
	}
	var b strings.Builder
	for range r.IntN(12) {
		switch r.IntN(6) {
		case 0:
			b.WriteString(one("", " ", "\t") + one("#", "!") + word() + one("", "\\"))
		case 1:
			b.WriteString(one("", " ", "\f"))
		default:
			var value strings.Builder
			value.WriteString(word())
			for range r.IntN(3) {
				value.WriteString(one(" ", "=", ":", "x", "\\"+end()) + word())
			}
			b.WriteString(one("", "  ", "\t") + key() + one("=", ":", " ", " = ", "\t:\f", "") + value.String())
		}
		b.WriteString(end())
	}
	if r.IntN(3) == 0 { // the last line has no end
		b.WriteString(key() + "=" + word() + one("", "\\"))
	}
	return b.String()
}

// The edit of a migration is read by java.util.Properties as it is meant, in 1,000
// files, and changes nothing that it reads besides.
func TestAThousandEditedFilesAreReadByJavaAsTheyAreMeant(t *testing.T) {
	const files = 1000
	javac, java := need(t, "javac"), need(t, "java")
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), javac, "-d", dir, samples+"/Edited.java").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := rand.New(rand.NewPCG(20261122, 1))
	has, refused := 0, 0
	for i := range files {
		text := properties.Text(generated(r))
		value := []string{"/media/share/appdata", " /with a space", "C:\\share\\appdata", "/m\u00e4rz/\u20ac", "a=b:c#d!", "", "\t\n\r\f", "/x \\"}[r.IntN(8)]
		set, err := text.Set(editedKey, value)
		for errors.Is(err, properties.ErrNot) { // its last line is continued by nothing: nobody edits that
			refused++
			text = properties.Text(generated(r))
			set, err = text.Set(editedKey, value)
		}
		if err != nil {
			t.Fatalf("%d: %v\n%q", i, err, text)
		}
		raw, there := text.Raw(editedKey)
		// Taken out again it is the text that was; a last line without an end has got one.
		if back := set.Restore(editedKey, raw); string(back) != string(text) && (there || strings.TrimRight(string(back), "\r\n") != strings.TrimRight(string(text), "\r\n")) {
			t.Errorf("%d: back is\n%q, and was\n%q", i, back, text)
		}
		put := func(kind string, content []byte) {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.%s", i, kind)), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put("before", text)
		put("after", set)
		put("value", []byte(value))
		was, is := text.Get(editedKey)
		if is != there {
			t.Errorf("%d: Get and Raw do not agree", i)
		}
		if is {
			has++
			put("was", []byte(was))
		}
	}
	if has < files/4 || has > 9*files/10 {
		t.Errorf("%d of the files have the key: the samples are too alike", has)
	}
	if refused > files/2 {
		t.Errorf("%d files were refused", refused)
	}
	out, err := exec.CommandContext(t.Context(), java, "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8", "-cp", dir, "Edited", dir, editedKey).CombinedOutput()
	if err != nil || string(out) != fmt.Sprintf("%d files, 0 not alike\n", files) {
		t.Error(errors.Join(err, errors.New(strings.ToValidUTF8(string(out), "?"))))
	}
}
