//go:build linux

package figures

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/test/cluster"
)

// A node at rest says one statement per heartbeat, whatever it holds, and
// nothing else: the server's own log is the judge.
func TestANodeAtRestSaysOneStatementPerHeartbeat(t *testing.T) {
	beside(t)
	agent := func(leases int) func(*testing.T) {
		return func(t *testing.T) {
			beside(t)
			atRest(t, crew(t, talkative(), 1, leases), 1)
		}
	}
	t.Run("an agent that holds 1 lease", agent(1))
	t.Run("a session that holds 1000 leases", func(t *testing.T) {
		beside(t)
		sessionsAtRest(t, 1, 1000)
	})
	if *long {
		t.Run("an agent that holds 1000 leases", agent(1000))
		t.Run("10 sessions that hold 10000 leases", func(t *testing.T) { sessionsAtRest(t, 10, 10000) })
	}
}

// sessionsAtRest is about nodes without jobs: they live in this process.
func sessionsAtRest(t *testing.T, nodes, leases int) {
	c := cluster.Start(t, talkative())
	c.Exec(`SELECT coterie.lease_declare(ARRAY(SELECT 'l' || n FROM generate_series(1, $1) n), 'work')`, leases)
	for i := range nodes {
		session(t, c, fmt.Sprintf("n%d", i))
	}
	c.Await(`SELECT count(*) = $1 AND count(DISTINCT node) = $2 FROM coterie.lease WHERE node IS NOT NULL`, leases, nodes)
	atRest(t, c, int64(nodes))
}

// talkative is a cluster whose server writes down each statement, and writes
// WAL as a real one does.
func talkative() cluster.Options {
	return cluster.Options{Terms: terms(), Durable: true, Settings: map[string]string{"log_statement": "all"}}
}

// heard is what a server heard of nodes for a while.
type heard struct {
	took       time.Duration
	beats      int64    // as their sessions count them
	ticks      int64    // statements
	others     []string // statements that are not heartbeats
	bytesOfWAL int64
}

// listen hears what nodes say for a while.
func listen(t *testing.T, c *cluster.Cluster, d time.Duration) heard {
	const wal = `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint`
	const beats = `SELECT sum(beats)::bigint FROM coterie.session`
	from := size(t, c.Server.LogFile())
	h := heard{beats: -cluster.Get[int64](c, beats), bytesOfWAL: -cluster.Get[int64](c, wal)}
	begun := time.Now()
	c.Elapse(d)
	h.beats += cluster.Get[int64](c, beats)
	h.bytesOfWAL += cluster.Get[int64](c, wal)
	h.took = time.Since(begun)
	h.ticks, h.others = statements(t, c.Server.LogFile(), from)
	return h
}

// atRest listens to nodes that have nothing to do, as soon as they have
// digested what happened before.
func atRest(t *testing.T, c *cluster.Cluster, nodes int64) {
	var h heard
	for range 10 {
		h = listen(t, c, max(10*c.Terms.Heartbeat, 3*time.Second))
		if len(h.others) == 0 {
			break
		}
	}
	perSecond := float64(h.bytesOfWAL) / h.took.Seconds() / float64(nodes)
	t.Logf("%d nodes, %.1f s: %d heartbeats, %d tick statements, %d others; %.0f bytes of WAL per node and second",
		nodes, h.took.Seconds(), h.beats, h.ticks, len(h.others), perSecond)
	if off := h.ticks - h.beats; off < -nodes || off > nodes {
		t.Errorf("%d statements for %d heartbeats", h.ticks, h.beats)
	}
	if len(h.others) > 0 {
		t.Errorf("said besides heartbeats, again and again:\n%s", strings.Join(h.others, "\n"))
	}
	if most := 500 * float64(cluster.Default.Heartbeat) / float64(c.Terms.Heartbeat); perSecond > most {
		t.Errorf("%.0f bytes of WAL per node and second, want %.0f at most", perSecond, most)
	}
}

func size(t *testing.T, file string) int64 {
	st, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// statements reads the server's log from an offset: how many ticks nodes said,
// and what else. What the trial itself asks does not count.
func statements(t *testing.T, file string, from int64) (ticks int64, others []string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(from, 0); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	ours := false
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "\t"): // goes on
			if ours && strings.Contains(line, "FROM coterie.tick(") {
				ticks++
				others = others[:len(others)-1]
			}
		case !strings.Contains(line, " LOG:  execute ") && !strings.Contains(line, " LOG:  statement: "):
			ours = false
		default:
			if ours = !strings.Contains(line, "postgres@app trial "); ours {
				others = append(others, line)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return ticks, others
}

// session is a node in this process: a session and nothing else.
func session(t *testing.T, c *cluster.Cluster, node string) {
	db, err := schema.Open(t.Context(), schema.Options{DSN: c.Server.TCP("app"), Application: "session " + node, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &leases.Session{
		DB: db, Node: node, Takes: []string{"work"},
		Hold: func(ctx context.Context, _ leases.Grant) { <-ctx.Done() },
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("%s: %v", node, err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}
