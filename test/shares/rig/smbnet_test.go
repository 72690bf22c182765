//go:build linux

package rig

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/test/cluster"
)

// smbnetfs cannot serve: a mount by it breaks for good when a file is appended to that
// the other host has changed. What is proved of it is that this is said, before and after,
// and that nothing is believed of a mount that is broken.
func TestSMBNetFSIsRefused(t *testing.T) {
	Wanted(t, "all")
	t.Parallel()
	program, err := cluster.Build(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	r := &Rig{dir: t.TempDir()}
	r.Tool = r.dir + "/rig"
	BuildTool(t, r.Tool)
	c := cluster.Start(t, cluster.Options{Program: program})
	s := newSuite(t, c, r.SMBNet(t, c), false)
	for i, side := range s.Sides {
		s.mount(t, i, "share")
		c.Add(side.Name, cluster.NodeOptions{Share: side.Path, Env: []string{"COTERIE_APPDATA_CHECK_EVERY=2s", slowly}}).Start()
	}
	t.Cleanup(func() { s.logs(t) })
	// It tells of no free space, unless somebody makes up some.
	s.within(t, patience, "neither can use it", `SELECT count(*) = 2 AND bool_and(state NOT IN ('OK', 'DEGRADED') AND owns_pct = 0) FROM coterie.storages`)
	tell := func(when string) {
		t.Logf("%s: %q", when, cluster.All[string](c, `SELECT concat_ws(' ', node, state, owns_pct || ' %', reason) FROM coterie.storages ORDER BY 1`))
	}
	s.Server.Do(t, "fill", "@conf", "20")
	s.refused(t)
	known := false
	for i := range s.Sides {
		out, err := s.coterie(t, i, "appdata", "scan")
		t.Logf("%s: scan: %v: %s", s.Sides[i].Name, err, strings.TrimSpace(out))
		known = known || err == nil
	}
	tell("whole")

	for i := range 4 {
		side := s.Sides[i%2]
		out, err := side.Try(t, "append", "@conf/file0001", fmt.Sprint(i))
		t.Logf("%s appends: %v %s", side.Name, err, strings.TrimSpace(out))
	}
	broken := 0
	for i, side := range s.Sides {
		if out, err := side.Try(t, "ls", "@conf"); err != nil {
			broken++
			t.Logf("%s: %s", side.Name, strings.TrimSpace(out))
			s.within(t, patience, side.Name+" says so", fmt.Sprintf(`SELECT state NOT IN ('OK', 'DEGRADED', 'FULL') FROM coterie.storages WHERE node = '%s'`, side.Name))
			if out, err := s.coterie(t, i, "appdata", "scan"); err == nil {
				t.Errorf("%s: a broken mount was scanned:\n%s", side.Name, out)
			}
		}
	}
	tell("after both have appended to one file")
	t.Logf("FIGURE smbnetfs: %d of 2 mounts broke, scanned before: %v", broken, known)
	s.refused(t)
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.appdata_changes WHERE change = 'deleted'`); n != 0 {
		t.Errorf("%d deletions were believed of mounts that broke", n)
	}
}

// refused wants coterie appdata check to say what to do instead, with an exit code.
func (s *suite) refused(t *testing.T) {
	t.Helper()
	for i := range s.Sides {
		out, err := s.coterie(t, i, "appdata", "check")
		text := strings.Join(strings.Fields(out), " ")
		t.Logf("%s: %v: %s", s.Sides[i].Name, err, text)
		if err == nil || !strings.Contains(text, "mount the share with cifs") {
			t.Errorf("%s: appdata check: %v, want it to refuse smbnetfs:\n%s", s.Sides[i].Name, err, out)
		}
	}
}
