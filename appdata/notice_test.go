package appdata

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// entry is one FILE_NOTIFY_INFORMATION; next is where another begins.
func noticeEntry(name string, next int) []byte {
	units := utf16.Encode([]rune(name))
	b := make([]byte, 12, next+12+2*len(units))
	binary.LittleEndian.PutUint32(b[0:], uint32(next))
	binary.LittleEndian.PutUint32(b[4:], 1)
	binary.LittleEndian.PutUint32(b[8:], uint32(2*len(units)))
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	for len(b) < next {
		b = append(b, 0)
	}
	return b
}

func TestWhatAServerTellsIsReadAndNotBelieved(t *testing.T) {
	chain := append(noticeEntry(`conf\server\täst`, 48), noticeEntry("new", 0)...)
	if n := parseNotice(chain); !slices.Equal(n.paths, []string{"conf/server/täst", "new"}) || n.lost != "" {
		t.Errorf("got %+v", n)
	}
	if n := parseNotice(nil); n.lost == "" || len(n.paths) > 0 {
		t.Errorf("more than it can tell: got %+v", n)
	}
	for _, name := range []string{`..\..\etc\passwd`, `\abs`, ".", "..", "a\x00b"} {
		if n := parseNotice(noticeEntry(name, 0)); len(n.paths) > 0 {
			t.Errorf("%q was believed: %+v", name, n)
		}
	}
	if n := parseNotice(chain[:len(chain)-3]); n.lost == "" || len(n.paths) != 1 {
		t.Errorf("cut short: got %+v", n)
	}
}

func FuzzNotice(f *testing.F) {
	f.Add(noticeEntry("a", 0))
	f.Add(append(noticeEntry("a", 16), noticeEntry("b", 0)...))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, p := range parseNotice(text).paths {
			if strings.HasPrefix(p, "/") || p == ".." || strings.HasPrefix(p, "../") {
				t.Errorf("%q leads out", p)
			}
		}
	})
}

// What the server tells of our own folder, which each probe writes to, is no news.
func TestWhatAServerTellsOfOurOwnFolderIsLeftOut(t *testing.T) {
	layout, err := LayoutOf("generic")
	if err != nil {
		t.Fatal(err)
	}
	w := &watching{Watcher: Watcher{Root: t.TempDir(), Skip: layout.Skips}, folders: map[string]*restless{}, watched: map[string]bool{}}
	if err := w.notice(noticed{paths: []string{".coterie/nodes/a.challenge", ".coterie/nodes", "conf/file"}}); err != nil {
		t.Fatal(err)
	}
	if len(w.folders) != 1 || w.folders["conf"] == nil {
		t.Errorf("to be looked at: %v", w.folders)
	}
}
