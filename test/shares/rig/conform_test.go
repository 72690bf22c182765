//go:build linux

package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/test/cluster"
)

// suite is the conformance suite at work on one export.
type suite struct {
	Export
	c     *cluster.Cluster
	short bool
	heard heard
}

// newSuite has an administrator on each side, and no agents yet.
func newSuite(t *testing.T, c *cluster.Cluster, e Export, short bool) *suite {
	t.Helper()
	s := &suite{Export: e, c: c, short: short}
	for i := range s.Sides {
		s.administer(t, i)
	}
	return s
}

// conform runs two agents on two sides of an export, and holds what they say
// against what is done to it.
func (s *suite) conform(t *testing.T) {
	c := s.c
	url := s.heard.listen(t)
	for i := range s.Sides {
		s.mount(t, i, "share")
	}
	for _, side := range s.Sides {
		host := "127.0.0.1"
		if side.Inside != nil {
			host = "10.0.2.2"
		}
		n := c.Add(side.Name, cluster.NodeOptions{
			Share: side.Path, Inside: side.Inside, Env: []string{"COTERIE_APPDATA_WATCH=true", "COTERIE_APPDATA_CHECK_EVERY=2s", "COTERIE_APPDATA_CRITICAL=critical", slowly},
			More: fmt.Sprintf("hooks:\n  - {name: heard, files: [conf], http: {url: \"http://%s:%d/\"}}\n", host, url),
		})
		n.Start()
	}
	t.Cleanup(func() { s.logs(t) })
	for _, step := range []struct {
		name string
		run  func(*testing.T)
		long bool
	}{
		{"BothSidesAreProvedToBeOneShare", s.proved, false},
		{"WhatThisFileSystemClaims", s.claims, false},
		{"AWrongShareIsNamed", s.wrong, false},
		{"ANodeHearsWhatTheOtherTells", s.announced, false},
		{"AScanSeesWhatForeignersDid", s.unannounced, false},
		{"WhatIsCriticalIsSeenSoon", s.critical, false},
		{"AForeignHostIsHeard", s.foreign, false},
		{"WhoReplacesFoldersIsNotDisturbed", s.undisturbed, false},
		{"AServerWhoseClockIsHoursOffIsBelieved", s.clockOff, true},
		{"HalfAFileWaits", s.half, true},
		{"ManyDeletionsWait", s.held, false},
		{"AServerThatIsCutOffIsNamed", s.cut, false},
	} {
		if step.long && s.short {
			continue
		}
		if !t.Run(step.name, step.run) {
			return // what comes after would say nothing
		}
	}
}

// Emulated hosts that get little of a processor are slow, and well: they have time, and
// sessions that bear it. How soon a share that hangs is known is tried with the default
// time, or, where hosts are too slow for that to mean anything, with the next that will do.
const slowly = "COTERIE_APPDATA_ANSWER_WITHIN=20s"

var (
	answers  = []string{"2s", "5s", "20s"}
	emulated = cluster.Terms{TTL: 20 * time.Second, Heartbeat: 1500 * time.Millisecond, Margin: 3 * time.Second}
)

func (s *suite) mount(t *testing.T, side int, export string) {
	t.Helper()
	if err := s.Mount(t, side, export); err != nil {
		t.Fatal(err)
	}
}

// administer writes what an administrator's commands on a side need.
func (s *suite) administer(t *testing.T, i int) {
	t.Helper()
	text := fmt.Sprintf("cluster: trial\nnode: {name: %s}\ndatabase:\n  dsn: %q\nappdata: {path: %q, answer_within: 20s}\n", s.Sides[i].Name, s.c.DSN("postgres"), s.Sides[i].Path)
	if err := os.WriteFile(s.admin(i), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) admin(i int) string {
	return filepath.Join(s.c.Dir, "admin-"+s.Sides[i].Name+".yaml")
}

// coterie runs a command of ours on a side.
func (s *suite) coterie(t *testing.T, i int, args ...string) (string, error) {
	t.Helper()
	return s.Sides[i].Call(t, append([]string{s.c.Program(), "-c", s.admin(i)}, args...)...)
}

func (s *suite) scan(t *testing.T, i int) string {
	t.Helper()
	out, err := s.coterie(t, i, "appdata", "scan")
	if err != nil {
		t.Fatalf("scan: %v\n%s", err, out)
	}
	return out
}

func (s *suite) logs(t *testing.T) {
	if !t.Failed() {
		return
	}
	for _, n := range s.c.Nodes {
		text, err := os.ReadFile(n.LogFile())
		t.Logf("%s said (%v):\n%s", n.Name, err, text)
	}
}

// within awaits what the database is to say, and tells how long that took.
func (s *suite) within(t *testing.T, limit time.Duration, what, query string, args ...any) time.Duration {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if cluster.Get[bool](s.c, query, args...) {
			took := time.Since(begun)
			t.Logf("%s: %v", what, took.Round(time.Millisecond))
			return took
		}
		if time.Since(begun) > limit {
			t.Fatalf("%s: not within %v\n%s\n%v\n%s", what, limit, s.c.Picture(),
				cluster.All[string](s.c, `SELECT concat_ws(' ', seq, change, path, from_path, source, seen_by) FROM coterie.appdata_changes ORDER BY seq DESC LIMIT 20`),
				cluster.Get[string](s.c, `SELECT coalesce(string_agg(concat_ws(' ', node, state, owns_pct, reason), E'\n'), '') FROM coterie.storages`))
		}
	}
}

const allIsWell = `SELECT count(*) = 2 AND bool_and(state IN ('OK', 'DEGRADED') AND owns_pct = 100) FROM coterie.storages`

func (s *suite) proved(t *testing.T) {
	s.within(t, patience, "both nodes are ready", `SELECT count(*) = 2 FROM coterie.nodes WHERE state = 'ready' AND expires_in > '0'`)
	s.within(t, patience, "and own all of it", allIsWell)
	if n := cluster.Get[int](s.c, `SELECT count(*) FROM coterie.sights WHERE mutual`); n != 2 {
		t.Errorf("%d of 2 sights are mutual", n)
	}
	t.Logf("round trips to the database: %v; the share's own latency: %v",
		cluster.All[string](s.c, `SELECT name || ' ' || db_rtt_ms FROM coterie.nodes ORDER BY 1`), cluster.All[string](s.c, `SELECT node || ' ' || latency_ms FROM coterie.storages ORDER BY 1`))
	for i := range s.Sides {
		out, err := s.coterie(t, i, "appdata", "check")
		t.Logf("%s: %v\n%s", s.Sides[i].Name, err, out)
	}
}

// wrong puts other things where the share of side b was.
func (s *suite) wrong(t *testing.T) {
	s.Server.Do(t, "copy", "@", "@../older")
	s.c.Elapse(3 * time.Second) // so that a node has written since
	for _, w := range []struct{ export, state, reason string }{
		{"other", "WRONG_SHARE", "belongs to cluster others%"},
		{"older", "WRONG_SHARE", "does not hold what this node wrote there last%"},
		{"", "NOT_MOUNTED", "no marker: nothing is mounted here%"},
		{"empty", "WRONG_SHARE", "%is mounted, but carries no cluster's marker%"},
	} {
		if s.short && (w.export == "other" || w.export == "empty") {
			continue // those are the easy ones
		}
		s.mount(t, 1, w.export)
		s.within(t, patience, fmt.Sprintf("%q is named %s", w.export, w.state),
			`SELECT state = $1::coterie.storage_state AND reason LIKE $2 FROM coterie.storages WHERE node = 'b'`, w.state, w.reason)
		// Beside other work it may be slow; it is not to be called anything else.
		if state := cluster.Get[string](s.c, `SELECT state FROM coterie.storages WHERE node = 'a'`); !slices.Contains([]string{"OK", "DEGRADED", "HUNG"}, state) {
			t.Errorf("a is %s", state)
		}
		if s.short {
			continue // the right one is not brought back each time
		}
		s.mount(t, 1, "share")
		s.within(t, patience, "well again", allIsWell)
	}
	s.mount(t, 1, "share")
	s.within(t, patience, "well again", allIsWell)
}

// unannounced has somebody change files at the server, past both nodes. The very next
// scan finds it, whatever the client remembers; on sshfs, when that is over.
func (s *suite) unannounced(t *testing.T) {
	for i := range s.Sides { // so that clients have something to remember
		s.scan(t, i)
	}
	for i, c := range []struct {
		what, change, path string
		steps              []string
	}{
		{"a new file", "created", "conf/foreign", []string{"write", "@conf/foreign", "x"}},
		{"one that grew", "modified", "conf/file0001", []string{"append", "@conf/file0001", "more"}},
		{"the same size", "modified", "conf/file0002", []string{"write", "@conf/file0002", "CONTENT 2"}},
		{"another in its place", "modified", "conf/file0003", []string{"write", "@conf/.x", "other", ",", "rename", "@conf/.x", "@conf/file0003"}},
		{"a new name", "renamed", "conf/moved", []string{"rename", "@conf/file0004", "@conf/moved"}},
		{"a file that is gone", "deleted", "conf/file0005", []string{"rm", "@conf/file0005"}},
		{"a folder with a file", "created", "new/folder/file", []string{"write", "@new/folder/file", "x"}},
	} {
		if s.Late > 5*time.Second && i%3 != 0 {
			t.Logf("%s: NOT TESTED where each takes %v; SHARES=quick does", c.what, s.Late)
			continue
		}
		s.scanned(t, c.what, c.change, c.path, c.steps...)
	}
}

// scanned has somebody change a file at the server, and wants the next scan to find it.
func (s *suite) scanned(t *testing.T, what, change, path string, steps ...string) {
	t.Helper()
	before := cluster.Get[int64](s.c, `SELECT coalesce(max(seq), 0) FROM coterie.appdata_changes`)
	s.Server.Do(t, steps...)
	begun, scans := time.Now(), 0
	// A name that comes and another that goes are a rename to who sees both at once.
	const found = `SELECT count(*) FILTER (WHERE path = $2 AND change = $3) > 0
			OR $3 = 'renamed' AND count(*) FILTER (WHERE path = $2 AND change = 'created') > 0 AND count(*) FILTER (WHERE path = 'conf/file0004' AND change = 'deleted') > 0
			FROM coterie.appdata_changes WHERE seq > $1`
	for !cluster.Get[bool](s.c, found, before, path, change) {
		if time.Since(begun) > patience {
			t.Fatalf("%s: not found by %d scans; a shows\n%s; there is %v", what, scans, s.Sides[0].Do(t, "ls", "@conf"),
				cluster.All[string](s.c, `SELECT concat_ws(' ', change, path, from_path, source) FROM coterie.appdata_changes WHERE seq > $1`, before))
		}
		s.scan(t, scans%2)
		if scans++; s.Late > 0 {
			s.c.Elapse(time.Second)
		}
	}
	t.Logf("%s: found after %v, %d scans, source %s", what, time.Since(begun).Round(10*time.Millisecond), scans,
		cluster.Get[string](s.c, `SELECT max(source) FROM coterie.appdata_changes WHERE seq > $1 AND path = $2`, before, path))
	if s.Late == 0 && scans > 1 {
		t.Errorf("%s: %d scans were needed", what, scans)
	}
}

// critical has somebody change files at the server in a folder that both nodes look at
// again and again: it is in the journal without a scan.
func (s *suite) critical(t *testing.T) {
	rounds := 15
	switch {
	case s.Late > 5*time.Second:
		rounds = 2 // each waits for the client
	case s.short:
		rounds = 4
	}
	var took []time.Duration
	for i := range rounds {
		before := cluster.Get[int64](s.c, `SELECT coalesce(max(seq), 0) FROM coterie.appdata_changes`)
		begun := time.Now()
		s.Server.Do(t, "write", "@critical/store", fmt.Sprintf("foreign %02d", i)) // of one size
		s.within(t, patience, "a critical file is in the journal", `SELECT count(*) > 0 FROM coterie.appdata_changes WHERE seq > $1 AND path = 'critical/store' AND source = 'watch'`, before)
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("FIGURE %s: a foreign change of a critical file is in the journal: p50 %v, most %v, of %d, the tool's own time included", s.Kind,
		took[len(took)/2].Round(10*time.Millisecond), took[len(took)-1].Round(10*time.Millisecond), len(took))
}

// half writes a file slowly: what is in the journal is whole.
func (s *suite) half(t *testing.T) {
	s.Sides[0].Do(t, "slowly", "@conf/slow", "12")
	const whole = `SELECT count(*) > 0 FROM coterie.appdata_changes WHERE path = 'conf/slow' AND size = 86`
	s.scanDoubts(t, whole)
	s.within(t, patience, "a file that was written slowly is in the journal", whole)
	sizes := cluster.All[int64](s.c, `SELECT size FROM coterie.appdata_changes WHERE path = 'conf/slow' ORDER BY seq`)
	if len(sizes) > 1 {
		t.Logf("in the journal with sizes %v", sizes)
	}
}

// held deletes most files behind the nodes' backs: nobody believes that unasked.
func (s *suite) held(t *testing.T) {
	s.Sides[0].Do(t, "fill", "@many", "120")
	s.scan(t, 0)
	s.within(t, patience, "many files are known", `SELECT count(*) = 120 FROM coterie.appdata_files WHERE path LIKE 'many/%'`)
	s.c.Elapse(2 * time.Second) // what watches still look at is over
	s.Server.Do(t, "rm", "@many")
	// What a late look sees in the midst of it are few, and told; the rest is held. A client
	// may show the files for a while; a scan that sees them not says so.
	const told = `SELECT count(*) FROM coterie.appdata_changes WHERE change = 'deleted' AND path LIKE 'many/%'`
	for begun := time.Now(); !cluster.Get[bool](s.c, `SELECT held_files + (`+told+`) >= 120 FROM coterie.appdata_trees WHERE name = 'share'`); {
		out, err := s.coterie(t, 0, "appdata", "scan")
		if time.Since(begun) > patience {
			t.Fatalf("nobody asks; the last scan: %v\n%s", err, out)
		}
		if err == nil && s.Late > 0 {
			s.c.Elapse(time.Second)
		} else if err == nil && !strings.Contains(out, "nothing changed") {
			t.Logf("scan: %s", out)
		}
	}
	if n := cluster.Get[int](s.c, told); n > 20 {
		t.Errorf("%d deletions were believed", n)
	} else if n > 0 {
		t.Logf("%d were told before", n)
	}
	if n := cluster.Get[int](s.c, `SELECT count(*) FROM coterie.findings WHERE code = 'COT-312'`); n != 1 {
		t.Errorf("%d findings", n)
	}
	if out, err := s.coterie(t, 0, "appdata", "accept", "-y", "-m", "a test"); err != nil {
		t.Fatalf("accept: %v\n%s", err, out)
	}
	const gone = `SELECT count(*) = 120 FROM coterie.appdata_changes WHERE change = 'deleted' AND path LIKE 'many/file%'`
	for begun := time.Now(); ; s.c.Elapse(time.Second) {
		s.scan(t, 0)
		if s.Late == 0 || cluster.Get[bool](s.c, gone) || time.Since(begun) > patience {
			break // what a client shows late it may still show
		}
	}
	s.within(t, patience, "an operator's word lets them go", gone)
}

const sessionsEnded = `SELECT count(*) FROM coterie.events WHERE kind = 'session.ended'`

// cut lets the server hang under both nodes.
func (s *suite) cut(t *testing.T) {
	beats := func() int64 {
		return cluster.Get[int64](s.c, `SELECT sum(beats)::bigint FROM coterie.session`)
	}
	answer := s.againWell(t)
	ended := cluster.Get[int](s.c, sessionsEnded)
	join := s.Cut(t)
	defer join()
	took := s.within(t, patience, "visible in SQL", `SELECT count(*) = 2 FROM coterie.storages WHERE state NOT IN ('OK', 'DEGRADED')`)
	t.Logf("FIGURE %s: a server that answers nobody is in SQL after %v, of which it has %s to answer: %v", s.Kind, took.Round(10*time.Millisecond), answer,
		cluster.All[string](s.c, `SELECT concat_ws(' ', node, state, reason) FROM coterie.storages ORDER BY 1`))
	most, last, moved := time.Duration(0), beats(), time.Now()
	watched := 8 * time.Second
	if s.short {
		watched /= 2
	}
	for begun := time.Now(); time.Since(begun) < watched; s.c.Elapse(20 * time.Millisecond) {
		if now := beats(); now != last {
			last, moved = now, time.Now()
		}
		most = max(most, time.Since(moved))
	}
	t.Logf("longest time without a heartbeat of either: %v", most.Round(10*time.Millisecond))
	if n := cluster.Get[int](s.c, sessionsEnded) - ended; n != 0 || most > s.c.Terms.TTL/2 {
		t.Errorf("%d sessions ended; no heartbeat for %v", n, most)
	}
	join()
	s.within(t, patience, "well again", allIsWell)
}

// againWell starts both nodes anew with a share that has as little time to answer as they
// can keep for some seconds, and gives that.
func (s *suite) againWell(t *testing.T) (answer string) {
	t.Helper()
	for i, answer := range answers {
		former := cluster.All[int64](s.c, `SELECT incarnation FROM coterie.session`)
		for _, n := range s.c.Nodes {
			n.Again("COTERIE_APPDATA_ANSWER_WITHIN=" + answer)
		}
		s.within(t, patience, "both nodes have begun again", `SELECT count(*) = 2 FROM coterie.nodes n JOIN coterie.session s ON s.node = n.name
			WHERE n.expires_in > '0' AND s.incarnation <> ALL ($1)`, pq.Array(former))
		const calm = 5 * time.Second
		for begun, well := time.Now(), time.Now(); time.Since(begun) < 30*time.Second || i+1 == len(answers); s.c.Elapse(50 * time.Millisecond) {
			switch {
			case !cluster.Get[bool](s.c, `SELECT (`+allIsWell+`) AND (SELECT count(*) = 2 FROM coterie.nodes WHERE state = 'ready' AND expires_in > '0')`):
				well = time.Now()
			case time.Since(well) > calm:
				return answer
			}
			if time.Since(begun) > patience {
				t.Fatalf("the nodes are not well for %v:\n%s", calm, s.c.Picture())
			}
		}
		t.Logf("these hosts are too slow for a share that is to answer within %s", answer)
	}
	return ""
}
