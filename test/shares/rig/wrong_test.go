//go:build linux

package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/appdata"
)

// wrongMount is a way in which administrators mount shares wrongly.
type wrongMount struct {
	export, options string
	want            string // in what coterie appdata check says
	kind            bool   // stands for its kind in the short form
}

// What is right but for one thing: nothing else is to be named.
const (
	goodNFS = appdata.OptionsNFS
	goodSMB = appdata.OptionsSMB
)

// The kernel leaves local_lock out with NFSv4; recorded lines stand for it in package appdata.
var wrongNFS = []wrongMount{
	{"share", "soft,actimeo=1,lookupcache=positive", "data are lost without a word (soft)", false},
	{"share", "softerr,actimeo=1,lookupcache=positive", "data are lost without a word (soft)", true},
	{"share", goodNFS + ",nocto", "does not ask the server whether it changed", false},
	{"share", "hard,noac", "each look is a request", false},
	{"share", goodNFS + ",ro", "read-only", false},
	{"share", goodNFS + ",sync", "each write waits for the server", false},
	{"share", "hard,lookupcache=positive", "may be seen 60 s late", false},
	{"share", "hard,actimeo=1", "a name was not there is remembered", false},
	{"squashed", goodNFS, "READ_ONLY", true},
	{"readonly", goodNFS, "READ_ONLY", false},
	{"small", goodNFS, "FULL", true},
	{"other", goodNFS, "WRONG_SHARE", true},
	{"empty", goodNFS, "WRONG_SHARE", false},
	{"", "", "NOT_MOUNTED", false},
}

var wrongSMB = []wrongMount{
	{"share", strings.Replace(goodSMB, "cache=strict", "cache=loose", 1), "content that other hosts wrote is not asked for", false},
	{"share", goodSMB + ",nobrl", "locks hold on this host only", true},
	{"share", strings.Replace(goodSMB, "closetimeo=0,", "", 1), "stays the old one", false},
	{"share", strings.Replace(goodSMB, "actimeo=1", "actimeo=30", 1), "may be seen 30 s late", false},
	{"share", strings.Replace(goodSMB, "mfsymlinks,", "", 1), "symbolic links cannot be made", false},
	{"share", strings.Replace(goodSMB, "file_mode=0640", "file_mode=0777", 1), "everybody on this host may read and write", false},
	{"share", strings.Replace(goodSMB, "echo_interval=10,", "", 1), "noticed after 120 s", false},
	{"share", goodSMB + ",ro", "read-only", false},
	{"readonly", goodSMB, "READ_ONLY", true},
	{"other", goodSMB, "WRONG_SHARE", false},
	{"empty", goodSMB, "WRONG_SHARE", false},
}

// misuse mounts each of them for real, and asks the program.
func misuse(t *testing.T, s *suite, all []wrongMount) {
	named := 0
	if s.short { // one of each kind: option, rights, space, another share
		all = slices.DeleteFunc(slices.Clone(all), func(w wrongMount) bool { return !w.kind })
	}
	for _, w := range all {
		if err := s.MountWith(t, 0, w.export, w.options); err != nil {
			t.Errorf("%s with %s: %v", w.export, w.options, err)
			continue
		}
		out, err := s.coterie(t, 0, "appdata", "check")
		// A wrapped line is still one sentence.
		text := strings.Join(strings.Fields(out), " ")
		if !strings.Contains(text, w.want) {
			t.Errorf("%q with %s: %v, want %q in\n%s", w.export, w.options, err, w.want, out)
			continue
		}
		named++
	}
	t.Logf("FIGURE %s: %d of %d wrong mounts are named", s.Kind, named, len(all))
}

// marked brings the cluster's marker to further exports of a server.
func marked(t *testing.T, s *suite, exports ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shared(s.c), ".coterie", "cluster.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, export := range exports {
		s.Server.Do(t, "write", fmt.Sprintf("@../%s/.coterie/cluster.json", export), string(text))
	}
}
