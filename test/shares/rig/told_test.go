//go:build linux

package rig

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

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
	s.awaitLog(t, "watching the share")
	changes := 40
	if s.short {
		changes = 15
	}
	before := cluster.Get[int64](s.c, `SELECT coalesce(max(seq), 0) FROM coterie.appdata_changes`)
	for i := range changes {
		s.Sides[0].Do(t, "write", fmt.Sprintf("@conf/told%d", i%10), fmt.Sprint("text ", i))
		s.c.Elapse(300 * time.Millisecond)
	}
	// What was never known cannot be told to be gone.
	const known = `SELECT count(DISTINCT path) = 10 FROM coterie.appdata_changes WHERE seq > $1 AND path LIKE 'conf/told%' AND change IN ('created', 'modified')`
	s.scanDoubts(t, known, before)
	s.within(t, patience, "all are in the journal", known, before)
	// Nor shown by a hook that is at work, when it is gone before the journal says so.
	s.within(t, patience, "and acted upon", `SELECT bool_and(behind = 0 AND (acted_at >= heeded_at OR heeded_at < coterie.clock() - interval '12 s')) FROM coterie.appdata_hooks`)
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
	// What is heeded is called next, when b's mount shows it or ten seconds are over.
	reached := func() bool {
		s.heard.mu.Lock()
		defer s.heard.mu.Unlock()
		return !slices.ContainsFunc(rows, func(r row) bool { return s.heard.node["b"][r.Seq].IsZero() })
	}
	for begun := time.Now(); !reached() && time.Since(begun) < patience; {
		s.c.Elapse(100 * time.Millisecond)
	}
	bare := "not measured"
	if s.Late == 0 { // else each is shown when what this host remembers is old enough
		bare = spread(s.bare(t, changes))
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
	if len(took) == 0 {
		t.Fatal("nothing was told")
	}
	slices.Sort(took)
	// A hook waits for ten seconds, which is no time for a host that needs some for each.
	switch starved := took[len(took)/2] > 2*time.Second; {
	case s.Late > 0 || len(s.heard.not) == 0:
	case starved:
		t.Logf("NOT JUDGED, these hosts are too slow: not shown within ten seconds: %v", s.heard.not)
	default:
		t.Errorf("not shown: %v", s.heard.not)
	}
	t.Logf("FIGURE %s: announced and shown by the other node's own mount: %s; database's round trip there: %s ms; a program there that is told by TCP and reads the file until it is the new one: %s", s.Kind,
		spread(took), cluster.Get[string](s.c, `SELECT db_rtt_ms::text FROM coterie.nodes WHERE name = 'b'`), bare)
}

// spread takes times that are sorted.
func spread(took []time.Duration) string {
	return fmt.Sprintf("p50 %v, p99 %v, of %d", took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond), len(took))
}

// bare has side a write files of which no node tells, and measures from a word to side b
// until its mount shows them to a program that does nothing else: less than that cannot be
// had on these hosts.
func (s *suite) bare(t *testing.T, changes int) (took []time.Duration) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host := "127.0.0.1"
	if s.Sides[1].Inside != nil {
		host = "10.0.2.2"
	}
	var showing sync.WaitGroup
	defer showing.Wait()
	showing.Go(func() {
		if out, err := s.Sides[1].Try(t, "show", fmt.Sprintf("%s:%d", host, l.Addr().(*net.TCPAddr).Port)); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		_ = l.Close() // nobody is waited for who has gone
	})
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for i := range changes {
		name, text := fmt.Sprintf(".coterie/bare/file%d", i%10), fmt.Sprint("text ", i)
		s.Sides[0].Do(t, "write", "@"+name, text)
		begun := time.Now()
		_, err := fmt.Fprintf(conn, "%s/%s\t%s\n", s.Sides[1].Path, name, text)
		if err == nil {
			_, err = answers.ReadString('\n')
		}
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(begun))
		s.c.Elapse(300 * time.Millisecond)
	}
	slices.Sort(took)
	return took
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

// awaitLog waits until both nodes have said something.
func (s *suite) awaitLog(t *testing.T, word string) {
	t.Helper()
	for _, n := range s.c.Nodes {
		for begun := time.Now(); ; s.c.Elapse(50 * time.Millisecond) {
			text, err := os.ReadFile(n.LogFile())
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), word) {
				break
			}
			if time.Since(begun) > patience {
				t.Fatalf("%s never said %q", n.Name, word)
			}
		}
	}
}
