//go:build linux

package rig

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// foreign has a host without an agent change files anywhere in the share, and measures from
// just before it did until the journal has it: by the word of the file server alone. What
// that missed the next scan finds.
func (s *suite) foreign(t *testing.T) {
	if s.Alien.Path == "" {
		t.Skip("the server of this file system tells nothing")
	}
	times := 36
	if s.short {
		times = 12
	}
	s.again(t, "COTERIE_APPDATA_LISTEN=true", "COTERIE_APPDATA_CHECK_EVERY=5s", "COTERIE_APPDATA_CRITICAL=") // else as by default
	s.within(t, patience, "both nodes are ready", `SELECT count(*) = 2 FROM coterie.nodes WHERE state = 'ready' AND expires_in > '0'`)
	s.Alien.Do(t, "prepare", "@conf/alien", fmt.Sprint(times))
	s.scan(t, 0)
	s.within(t, patience, "one node listens", `SELECT count(*) = 1 FROM coterie.leases WHERE name = 'listen/appdata' AND valid`)
	// A name each: of one file that is kept open at the server only the first write is told.
	for i, heard, since := 0, false, time.Now(); !heard; i++ {
		if time.Since(since) > patience {
			t.Fatalf("nothing is heard\n%s", s.c.Picture())
		}
		s.Alien.Do(t, "write", fmt.Sprintf("@conf/alien/trial%d", i), "x")
		s.c.Elapse(time.Second)
		heard = cluster.Get[bool](s.c, `SELECT count(*) > 0 FROM coterie.appdata_changes WHERE path LIKE 'conf/alien/trial%' AND source = 'watch'`)
	}
	s.c.Elapse(3 * time.Second) // what is still looked at is over
	before := cluster.Get[int64](s.c, `SELECT coalesce(max(seq), 0) FROM coterie.appdata_changes`)

	// Beside a node, on the other's host, a program that only passes on what the server says.
	other := s.Sides[0]
	if cluster.Get[string](s.c, `SELECT holder FROM coterie.leases WHERE name = 'listen/appdata'`) == other.Name {
		other = s.Sides[1]
	}
	begun, overheard := newMarks(t), newMarks(t)
	silence := other.Begin(t, "listening", other.Tool, "do", "overhear", "@", overheard.to)
	s.Alien.Do(t, "foreign", "@conf/alien", fmt.Sprint(times), begun.to)
	s.c.Elapse(3 * time.Second)
	silence()
	begun.end(t)
	overheard.end(t)

	type row struct {
		Name string
		At   time.Time
	}
	var rows []row
	const toldSQL = `SELECT substring(path from '[^/]*$') AS name, min(at) AS at FROM coterie.appdata_changes
		WHERE seq > $1 AND source = 'watch' AND path ~ '/foreign[0-9]{3}$' GROUP BY 1`
	if err := s.c.DB.Select(&rows, toldSQL, before); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	slowest := row{}
	for _, r := range rows {
		d := r.At.Sub(begun.at[r.Name])
		if took = append(took, d); d > slowest.At.Sub(begun.at[slowest.Name]) || slowest.Name == "" {
			slowest = r
		}
	}
	slices.Sort(took)
	if len(took) < times*3/4 {
		t.Fatalf("%d of %d changes were heard of", len(took), times)
	}
	var bare []time.Duration
	for name, at := range overheard.at {
		if since, ok := begun.at[name]; ok {
			bare = append(bare, at.Sub(since))
		}
	}
	if slices.Sort(bare); len(bare) == 0 {
		t.Fatal("nothing was overheard")
	}
	t.Logf("FIGURE %s: a foreign host's change, unannounced, is in the journal by the server's notification: %s, most %v (%s), out of %d; a program that only passes on the server's word: %s", s.Kind,
		spread(took), took[len(took)-1].Round(time.Millisecond), slowest.Name, times, spread(bare))
	s.scan(t, 1)
	if found := cluster.Get[int](s.c, `SELECT count(DISTINCT path) FROM coterie.appdata_changes WHERE seq > $1 AND path ~ '/foreign[0-9]{3}$'`, before); found != times {
		t.Errorf("after a scan %d of %d changes are known", found, times)
	}
	s.again(t, "COTERIE_APPDATA_CHECK_EVERY=2s", "COTERIE_APPDATA_CRITICAL=critical")
	s.within(t, patience, "well again", allIsWell)
	if n := slices.Max(cluster.All[int](s.c, `SELECT count(*) FROM coterie.storages WHERE state NOT IN ('OK', 'DEGRADED')`)); n > 0 {
		t.Errorf("the share is not well: %s", s.c.Picture())
	}
}

// marks are when the lines of a guest have come.
type marks struct {
	to string // where guests send them

	listener net.Listener
	reading  sync.WaitGroup
	at       map[string]time.Time // the first of each, to be read after end
}

func newMarks(t *testing.T) *marks {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &marks{to: fmt.Sprintf("10.0.2.2:%d", l.Addr().(*net.TCPAddr).Port), listener: l, at: map[string]time.Time{}}
	m.reading.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if _, known := m.at[lines.Text()]; !known {
				m.at[lines.Text()] = time.Now()
			}
		}
	})
	return m
}

// end waits until the guest has ended.
func (m *marks) end(t *testing.T) {
	t.Helper()
	if err := m.listener.Close(); err != nil {
		t.Error(err)
	}
	m.reading.Wait()
}

// undisturbed removes folders, makes them again and renames them, on each host: nobody who
// listens stays in the way, and nobody is in it who does not listen.
func (s *suite) undisturbed(t *testing.T) {
	if s.Alien.Path == "" {
		t.Skip("there is no host without an agent")
	}
	times := 20
	if s.short {
		times = 4
	}
	// A look that is late on emulated hosts meets the next round.
	s.remade(t, "while one listens", times, 10)
	s.again(t, "COTERIE_APPDATA_LISTEN=false")
	s.within(t, patience, "well again", allIsWell)
	s.remade(t, "while nobody does", times, 40)
}

// remade fails when more than one of so many steps of a host was refused at first.
func (s *suite) remade(t *testing.T, when string, times, of int) {
	t.Helper()
	for _, side := range []Side{s.Alien, s.Sides[0], s.Sides[1]} {
		out := side.Do(t, "remake", "@deploy/conf", fmt.Sprint(times))
		t.Logf("FIGURE %s: %s: folders removed, made again and renamed %s: %s", s.Kind, side.Name, when, out)
		var failed, steps int
		if _, err := fmt.Sscanf(out, "%d of %d", &failed, &steps); err != nil || failed > max(1, steps/of) {
			t.Errorf("%s: %s: %s", side.Name, when, out)
		}
	}
}

// again has both nodes begin anew with other settings, and waits until they watch.
func (s *suite) again(t *testing.T, env ...string) {
	t.Helper()
	for _, n := range s.c.Nodes {
		before := said(t, n, "watching the share")
		n.Again(env...)
		for begun := time.Now(); said(t, n, "watching the share") == before; s.c.Elapse(100 * time.Millisecond) {
			if time.Since(begun) > patience {
				t.Fatalf("%s does not watch", n.Name)
			}
		}
	}
}

// said counts how often a node's agent has said something.
func said(t *testing.T, n *cluster.Node, words string) int {
	t.Helper()
	text, err := os.ReadFile(n.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), words)
}
