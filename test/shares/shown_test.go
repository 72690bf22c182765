//go:build linux

package shares

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/test/shares/faulty"
)

// Whether a node's mount shows what another wrote is asked for after each change, by each
// node: it is to cost the file server little. What is counted are a kernel's questions to a
// file system that lets it remember nothing.
func TestWhatIsShownIsSeenWithFewRequests(t *testing.T) {
	l := newLiar(t, 1)
	l.write("conf/server/keystore")
	want := func(text string) []appdata.Expected {
		return []appdata.Expected{{Path: "conf/server/keystore", Size: int64(len(text)), Digest: fmt.Sprintf("%x", sha256.Sum256([]byte(text)))}}
	}
	asked := func(text string, missing int) int {
		t.Helper()
		l.tell(faulty.Plan{})
		got, err := appdata.Expect{Share: l.share, Files: want(text)}.Do(t.Context())
		if err != nil || got != missing {
			t.Fatalf("%d missing, %v; want %d", got, err, missing)
		}
		return l.tell(faulty.Plan{})
	}
	present := 0
	for i := range 5 { // what a kernel asks for by itself comes when it comes
		l.tell(faulty.Plan{})
		l.must(l.share.Present())
		if n := l.tell(faulty.Plan{}); i == 0 || n < present {
			present = n
		}
	}
	shown, late := asked("conf/server/keystore", 0), asked("not here yet", 1)
	t.Logf("FIGURE requests to see that a file is as another node wrote it: %d; that it is not yet: %d; of the latter to see that this is the share: %d", shown, late, present)
	if present > 30 { // it is asked before and after each look, and each page of a scan
		t.Errorf("%d requests to see that this is the share", present)
	}
	if shown > late/2 {
		t.Errorf("%d requests for a file that is shown, %d for one that is not", shown, late)
	}
	// A folder that is not the share shows nothing, whatever is in it.
	l.must(os.Remove(filepath.Join(l.dir, ".coterie/cluster.json")))
	if _, err := (appdata.Expect{Share: l.share, Files: want("conf/server/keystore")}).Do(t.Context()); err == nil {
		t.Error("what is not the share shows it")
	}
}

// What a watch names is looked at with few requests, and nothing is written for it: of each
// file that is made for a look, a server tells whoever listens. This one takes none.
func TestALookAsksLittleAndWritesNothing(t *testing.T) {
	l := newLiar(t, 1)
	l.write("conf/server/keystore")
	look := appdata.Look{Share: l.share, Layout: "generic", Folders: []string{"conf/server"}}
	asked := 0
	for i := range 5 { // what a kernel asks for by itself comes when it comes
		l.tell(faulty.Plan{})
		found, err := look.Do(t.Context())
		l.must(err)
		if n := l.tell(faulty.Plan{}); i == 0 || n < asked {
			asked = n
		}
		if n := len(found.Changes); n != 1 || found.Changes[0].Latency < 0 || found.Changes[0].Latency > time.Minute {
			t.Errorf("found %+v", found.Changes)
		}
	}
	t.Logf("FIGURE requests to look at a folder with one file, the least of five looks: %d", asked)
	if asked > 65 {
		t.Errorf("%d requests", asked)
	}
	look.Share.Said = 0 // without a word of its own it wants the share's clock
	if _, err := look.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "clock of") {
		t.Errorf("it asked for no clock: %v", err)
	}
}
