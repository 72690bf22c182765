//go:build linux

package rig

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
			Share: side.Path, Inside: side.Inside, Env: []string{"COTERIE_APPDATA_WATCH=true", "COTERIE_APPDATA_CHECK_EVERY=2s"},
			More: fmt.Sprintf("hooks:\n  - {name: heard, files: [conf], http: {url: \"http://%s:%d/\"}}\n", host, url),
		})
		n.Start()
	}
	t.Cleanup(func() { s.logs(t) })
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"BothSidesAreProvedToBeOneShare", s.proved},
		{"WhatThisFileSystemClaims", s.claims},
		{"AWrongShareIsNamed", s.wrong},
		{"ANodeHearsWhatTheOtherTells", s.announced},
		{"TheServerTells", s.told},
		{"AScanSeesWhatForeignersDid", s.unannounced},
		{"HalfAFileWaits", s.half},
		{"ManyDeletionsWait", s.held},
		{"AServerThatIsCutOffIsNamed", s.cut},
	} {
		if !t.Run(step.name, step.run) {
			return // what comes after would say nothing
		}
	}
}

func (s *suite) mount(t *testing.T, side int, export string) {
	t.Helper()
	if err := s.Mount(t, side, export); err != nil {
		t.Fatal(err)
	}
}

// administer writes what an administrator's commands on a side need.
func (s *suite) administer(t *testing.T, i int) {
	t.Helper()
	text := fmt.Sprintf("cluster: trial\nnode: {name: %s}\ndatabase:\n  dsn: %q\nappdata: {path: %q}\n", s.Sides[i].Name, s.c.DSN("postgres"), s.Sides[i].Path)
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

// claims tells what the file system says of itself, and what holds between hosts.
func (s *suite) claims(t *testing.T) {
	out, err := s.Sides[0].Call(t, s.Sides[0].Tool, "claims", "@")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var found map[string]string
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatal(err)
	}
	for what, got := range found {
		want := "yes"
		if known := claimed[s.Kind][what]; known != "" {
			want = known
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	s.Server.Do(t, "rm", "@claims")
	s.locks(t)
	s.replaced(t)
}

// claimed is in what file systems differ from a local disk.
var claimed = map[string]map[string]string{
	"SMB 3.1.1": {
		"symbolic links": "operation not supported", "FIFOs": "operation not permitted", "modes are kept": "0640 became 0755",
		"names differ by case": "one name is the other", "names of any bytes": "invalid argument", "rename over a file that is open": "permission denied",
	},
	"sshfs":   {"FIFOs": "operation not permitted", "hard links are counted": "nlink is 1"},
	"NFSv4.2": {}, "GlusterFS": {},
}

// locks tries whether what one host has locked another cannot lock.
func (s *suite) locks(t *testing.T) {
	for _, kind := range []string{"flock", "fcntl"} {
		end := s.Sides[0].Begin(t, "held", s.Sides[0].Tool, "hold", kind, "@lock-"+kind)
		out, _ := s.Sides[1].Call(t, s.Sides[1].Tool, "hold", kind, "@lock-"+kind, "try")
		excludes := strings.Contains(out, "refused")
		end()
		if want := s.Kind != "sshfs" && (s.Kind != "GlusterFS" || kind == "fcntl"); excludes != want && s.Kind != "GlusterFS" {
			t.Errorf("a lock by %s of another host keeps one out: %v, want %v (%s)", kind, excludes, want, strings.TrimSpace(out))
		}
		t.Logf("a lock by %s keeps another host out: %v", kind, excludes)
	}
}

// replaced has one host put new files in the place of one that the other reads.
func (s *suite) replaced(t *testing.T) {
	a, b := s.Sides[0], s.Sides[1]
	a.Do(t, "mkdir", "@swap", ",", "replace", "@swap/file", "1", ",", "rm", "@swap/file.done")
	var done sync.WaitGroup
	done.Go(func() {
		if out, err := a.Try(t, "replace", "@swap/file", "40"); err != nil {
			t.Errorf("replace: %v\n%s", err, out)
		}
	})
	out, err := b.Try(t, "whole", "@swap/file")
	done.Wait()
	var absent, torn, read int
	said := lines(out)
	if _, scanErr := fmt.Sscan(said[len(said)-1], &absent, &torn, &read); err != nil || scanErr != nil {
		t.Fatalf("whole: %v %v\n%s", err, scanErr, out)
	}
	t.Logf("while one host replaced a file, the other read it %d times: absent %d, torn %d, errors %d", read, absent, torn, len(said)-1)
	if torn > 0 || absent > 0 && s.Kind != "sshfs" {
		t.Errorf("a replaced file was absent %d times, torn %d", absent, torn)
	}
	s.Server.Do(t, "rm", "@swap")
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
		s.mount(t, 1, w.export)
		s.within(t, patience, fmt.Sprintf("%q is named %s", w.export, w.state),
			`SELECT state = $1::coterie.storage_state AND reason LIKE $2 FROM coterie.storages WHERE node = 'b'`, w.state, w.reason)
		if state := cluster.Get[string](s.c, `SELECT state FROM coterie.storages WHERE node = 'a'`); state != "OK" && state != "DEGRADED" {
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

// heard is what hooks of the nodes have said.
type heard struct {
	mu   sync.Mutex
	node map[string]map[int64]time.Time // guarded by mu: when a node showed a change
	not  []string                       // guarded by mu: what was not shown
}

func (h *heard) listen(t *testing.T) (port int) {
	h.node = map[string]map[int64]time.Time{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: patience}
	go func() { _ = server.Serve(l) }() // until it is closed
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func (h *heard) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	now := time.Now()
	var said struct {
		Node    string
		Shown   bool
		Changes []struct {
			Seq  int64
			Path string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.node[said.Node] == nil {
		h.node[said.Node] = map[int64]time.Time{}
	}
	for _, c := range said.Changes {
		h.node[said.Node][c.Seq] = now
		if !said.Shown {
			h.not = append(h.not, said.Node+" "+c.Path)
		}
	}
}

// announced has side a change files, and measures when side b has shown them through
// its own mount: from the journal's row until b's hook has called.
func (s *suite) announced(t *testing.T) {
	s.Sides[0].Do(t, "fill", "@conf", "10") // not at the server: sshfs would show the folder late
	s.scan(t, 0)
	s.within(t, patience, "hooks are there", `SELECT count(*) = 2 AND bool_and(behind = 0) FROM coterie.appdata_hooks`)
	s.awaitWatches(t)
	changes := 40
	if s.short {
		changes = 15
	}
	before := cluster.Get[int64](s.c, `SELECT coalesce(max(seq), 0) FROM coterie.appdata_changes`)
	for i := range changes {
		s.Sides[0].Do(t, "write", fmt.Sprintf("@conf/told%d", i%10), fmt.Sprint("text ", i))
		s.c.Elapse(300 * time.Millisecond)
	}
	s.Sides[0].Do(t, "rename", "@conf/told0", "@conf/renamed", ",", "rm", "@conf/told1")
	// A name that comes and another that goes are a rename to who sees both at once.
	const told = `SELECT count(*) FILTER (WHERE change IN ('renamed', 'created') AND path = 'conf/renamed') = 1 AND count(*) FILTER (WHERE change = 'deleted' AND path = 'conf/told1') = 1 FROM coterie.appdata_changes WHERE seq > $1`
	s.scanDoubts(t, told, before)
	s.within(t, patience, "a rename and a deletion are in the journal", told, before)
	s.within(t, patience, "all is heeded", `SELECT bool_and(behind = 0) FROM coterie.appdata_hooks`)
	s.c.Elapse(2 * time.Second)

	type row struct {
		Seq    int64
		At     time.Time
		Source string
		SeenBy string `db:"seen_by"`
	}
	var rows []row
	if err := s.c.DB.Select(&rows, `SELECT seq, at, source, seen_by FROM coterie.appdata_changes WHERE seq > $1 AND path LIKE 'conf/%' AND kind = 'file' ORDER BY seq`, before); err != nil {
		t.Fatal(err)
	}
	s.heard.mu.Lock()
	defer s.heard.mu.Unlock()
	var took []time.Duration
	for _, r := range rows {
		at, ok := s.heard.node["b"][r.Seq]
		if !ok {
			t.Errorf("change %d never reached b", r.Seq)
			continue
		}
		took = append(took, at.Sub(r.At))
	}
	if len(s.heard.not) > 0 && s.Late == 0 {
		t.Errorf("not shown: %v", s.heard.not)
	}
	if len(took) == 0 {
		t.Fatal("nothing was told")
	}
	slices.Sort(took)
	t.Logf("FIGURE %s: announced and shown by the other node's own mount: p50 %v, p99 %v, of %d; database's round trip there: %s ms", s.Kind,
		took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond), len(took), cluster.Get[string](s.c, `SELECT db_rtt_ms::text FROM coterie.nodes WHERE name = 'b'`))
}

// told has somebody change files at an SMB server, past both nodes, and measures until
// the journal has it: by the server's own notification, no scan is made.
func (s *suite) told(t *testing.T) {
	if !strings.HasPrefix(s.Kind, "SMB") {
		t.Logf("no server of %s tells of changes", s.Kind)
		return
	}
	changes := 30
	if s.short {
		changes = 10
	}
	var took []time.Duration
	for i := range changes {
		path := fmt.Sprintf("conf/server%d", i)
		s.Server.Do(t, "write", "@"+path, "x")
		for done := time.Now(); time.Since(done) < 5*time.Second; s.c.Elapse(20 * time.Millisecond) {
			if at := cluster.All[time.Time](s.c, `SELECT min(at) FROM coterie.appdata_changes WHERE path = $1 HAVING count(*) > 0`, path); len(at) > 0 {
				took = append(took, at[0].Sub(done))
				break
			}
		}
	}
	if len(took) == 0 {
		t.Fatal("the server told of nothing")
	}
	slices.Sort(took)
	t.Logf("FIGURE %s: what a foreigner did is in the journal by the server's word, settling of 100 ms included: %d of %d, p50 %v, p99 %v; the others wait for a scan", s.Kind,
		len(took), changes, took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond))
}

// scanDoubts does what a job does where there is one: a node that may have missed
// something, as beside a share that was too slow for it, asks for a scan.
func (s *suite) scanDoubts(t *testing.T, until string, args ...any) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience && !cluster.Get[bool](s.c, until, args...); s.c.Elapse(500 * time.Millisecond) {
		if why := cluster.Get[string](s.c, `SELECT coalesce((SELECT doubt FROM coterie.appdata_trees WHERE name = 'share'), '')`); why != "" {
			t.Logf("a node asks for a scan: %s", why)
			s.scan(t, 0)
		}
	}
}

func (s *suite) awaitWatches(t *testing.T) {
	t.Helper()
	for _, n := range s.c.Nodes {
		for begun := time.Now(); ; s.c.Elapse(50 * time.Millisecond) {
			text, err := os.ReadFile(n.LogFile())
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "watching the share") {
				break
			}
			if time.Since(begun) > patience {
				t.Fatalf("%s does not watch", n.Name)
			}
		}
	}
}

// unannounced has somebody change files at the server, past both nodes. The very next
// scan finds it, whatever the client remembers; on sshfs, when that is over.
func (s *suite) unannounced(t *testing.T) {
	for i := range s.Sides { // so that clients have something to remember
		s.scan(t, i)
	}
	for _, c := range []struct {
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
		before := cluster.Get[int64](s.c, `SELECT coalesce(max(seq), 0) FROM coterie.appdata_changes`)
		s.Server.Do(t, c.steps...)
		begun, scans := time.Now(), 0
		// A name that comes and another that goes are a rename to who sees both at once.
		const found = `SELECT count(*) FILTER (WHERE path = $2 AND change = $3) > 0
			OR $3 = 'renamed' AND count(*) FILTER (WHERE path = $2 AND change = 'created') > 0 AND count(*) FILTER (WHERE path = 'conf/file0004' AND change = 'deleted') > 0
			FROM coterie.appdata_changes WHERE seq > $1`
		for !cluster.Get[bool](s.c, found, before, c.path, c.change) {
			if time.Since(begun) > patience {
				t.Fatalf("%s: not found by %d scans; a shows\n%s; there is %v", c.what, scans, s.Sides[0].Do(t, "ls", "@conf"),
					cluster.All[string](s.c, `SELECT concat_ws(' ', change, path, from_path, source) FROM coterie.appdata_changes WHERE seq > $1`, before))
			}
			s.scan(t, scans%2)
			if scans++; s.Late > 0 {
				s.c.Elapse(time.Second)
			}
		}
		t.Logf("%s: found after %v, %d scans, source %s", c.what, time.Since(begun).Round(10*time.Millisecond), scans,
			cluster.Get[string](s.c, `SELECT max(source) FROM coterie.appdata_changes WHERE seq > $1 AND path = $2`, before, c.path))
		if s.Late == 0 && scans > 1 {
			t.Errorf("%s: %d scans were needed", c.what, scans)
		}
	}
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
	s.Server.Do(t, "rm", "@many")
	// A client may show the files for a while; a scan that sees them not says so.
	for begun := time.Now(); !cluster.Get[bool](s.c, `SELECT held_files >= 120 FROM coterie.appdata_trees WHERE name = 'share'`); {
		if time.Since(begun) > patience {
			t.Fatal("nobody asks")
		}
		out, err := s.coterie(t, 0, "appdata", "scan")
		if err == nil && s.Late > 0 {
			s.c.Elapse(time.Second)
		} else if err == nil && !strings.Contains(out, "nothing changed") {
			t.Logf("scan: %s", out)
		}
	}
	if n := cluster.Get[int](s.c, `SELECT count(*) FROM coterie.appdata_changes WHERE change = 'deleted' AND path LIKE 'many/%'`); n > 0 {
		t.Errorf("%d deletions were believed", n)
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

// cut lets the server hang under both nodes.
func (s *suite) cut(t *testing.T) {
	beats := func() int64 {
		return cluster.Get[int64](s.c, `SELECT sum(beats)::bigint FROM coterie.session`)
	}
	join := s.Cut(t)
	defer join()
	took := s.within(t, patience, "visible in SQL", `SELECT count(*) = 2 FROM coterie.storages WHERE state NOT IN ('OK', 'DEGRADED')`)
	t.Logf("FIGURE %s: a server that answers nobody is in SQL after %v: %v", s.Kind, took.Round(10*time.Millisecond),
		cluster.All[string](s.c, `SELECT concat_ws(' ', node, state, reason) FROM coterie.storages ORDER BY 1`))
	most, last, moved := time.Duration(0), beats(), time.Now()
	for begun := time.Now(); time.Since(begun) < 8*time.Second; s.c.Elapse(20 * time.Millisecond) {
		if now := beats(); now != last {
			last, moved = now, time.Now()
		}
		most = max(most, time.Since(moved))
	}
	t.Logf("longest time without a heartbeat of either: %v", most.Round(10*time.Millisecond))
	if n := cluster.Get[int](s.c, `SELECT count(*) FROM coterie.events WHERE kind = 'session.ended'`); n != 0 || most > s.c.Terms.TTL/2 {
		t.Errorf("%d sessions ended; no heartbeat for %v", n, most)
	}
	join()
	s.within(t, patience, "well again", allIsWell)
}
