//go:build linux

package rig

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// clockOff sets the file server's clock hours ahead, and then hours back: what is changed
// meanwhile is found as ever, nothing is called wrong, and coterie appdata check tells of it.
func (s *suite) clockOff(t *testing.T) {
	if s.Server.Inside == nil {
		t.Logf("the server of %s has this machine's clock", s.Kind)
		return
	}
	const off = 7 * time.Hour
	moved := time.Duration(0)
	move := func(to time.Duration) {
		s.Server.Do(t, "clock", (to - moved).String())
		moved = to
	}
	defer move(0)
	for i, to := range []time.Duration{off, -off} {
		move(to)
		name := func(what string) string { return fmt.Sprintf("conf/%s%d", what, i) }
		s.scanned(t, fmt.Sprintf("%v off: a new file", to), "created", name("clock"), "write", "@"+name("clock"), "one")
		s.scanned(t, "the same size", "modified", name("clock"), "write", "@"+name("clock"), "two")
		s.scanned(t, "a file that is gone", "deleted", name("clock"), "rm", "@"+name("clock"))
		before := cluster.Get[int64](s.c, `SELECT coalesce(max(seq), 0) FROM coterie.appdata_changes`)
		s.Sides[0].Do(t, "write", "@"+name("told"), "x")
		told := `SELECT count(*) = 1 FROM coterie.appdata_changes WHERE seq > $1 AND path = $2 AND change = 'created'`
		s.scanDoubts(t, told, before, name("told"))
		s.within(t, patience, "what a node did is in the journal", told, before, name("told"))
		s.Server.Do(t, "write", "@critical/clock", to.String())
		s.within(t, patience, "what is critical too", `SELECT count(*) > 0 FROM coterie.appdata_changes WHERE seq > $1 AND path = 'critical/clock'`, before)
		s.within(t, patience, "all is well", allIsWell)
		if late := cluster.Get[float64](s.c, `SELECT coalesce(max(extract(epoch FROM latency)), 0) FROM coterie.appdata_changes WHERE seq > $1`, before); late > patience.Seconds() {
			t.Errorf("the journal says that a change was seen %v s late", late)
		}
		out, err := s.coterie(t, 0, "appdata", "check")
		text := strings.Join(strings.Fields(out), " ")
		if want := map[bool]string{true: "ahead of this host's clock", false: "behind this host's clock"}[to > 0]; err != nil || !strings.Contains(text, want) {
			t.Errorf("appdata check: %v, want %q in\n%s", err, want, out)
		}
	}
}
