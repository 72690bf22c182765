package appdata

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhatIsExpectedIsReadAnew(t *testing.T) {
	s := ours(t)
	in := func(name string) string { return filepath.Join(s.Path, name) }
	do(t, os.Mkdir(in("conf"), 0o755), os.WriteFile(in("conf/a\\b"), []byte("hello"), 0o600), os.Symlink("a\\b", in("conf/link")),
		os.WriteFile(in("../x"), []byte("hello"), 0o600))
	m, err := Scanner{Root: s.Path}.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	digest := m.Dir("conf").Entry(`a\b`).Digest.String()
	want := Expected{Path: Quote(`conf/a\b`), Size: 5, Digest: digest}
	for name, c := range map[string]struct {
		file    Expected
		missing int
	}{
		"as it is":               {want, 0},
		"of another size":        {Expected{Path: want.Path, Size: 6, Digest: digest}, 1},
		"of other content":       {Expected{Path: want.Path, Size: 5, Digest: digest[2:] + "00"}, 1},
		"not there":              {Expected{Path: "conf/none", Size: 5, Digest: digest}, 1},
		"in no folder":           {Expected{Path: "none/at/all", Size: 5, Digest: digest}, 1},
		"a link to it":           {Expected{Path: "conf/link", Size: 5, Digest: digest}, 1},
		"outside":                {Expected{Path: "../x", Size: 5, Digest: digest}, 1},
		"not quoted, nor a path": {Expected{Path: `\xZZ`, Size: 5, Digest: digest}, 1},
	} {
		if n, err := (Expect{Share: s, Files: []Expected{c.file}}).Do(t.Context()); err != nil || n != c.missing {
			t.Errorf("%s: %d missing, %v", name, n, err)
		}
	}
	do(t, os.RemoveAll(in(".coterie")))
	if n, err := (Expect{Share: s, Files: []Expected{want}}).Do(t.Context()); err == nil {
		t.Errorf("a share that is not there shows it: %d", n)
	}
}
