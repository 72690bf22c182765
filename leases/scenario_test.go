package leases_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

var update = flag.Bool("update", false, "write what the scenarios print into their files")

// TestScenarios plays testdata/*.txt: lines at the margin are commands, indented
// lines are what they must print. Nodes live in one synctest bubble against a real
// database whose clock is the bubble's.
//
//	lease NAME... [class C]      declare leases
//	start NODE [after-crash]     begin a life; after-crash: its former process is known to be gone
//	advance D                    let time pass
//	cut NODE, stall NODE         cut a node from the database; let its packets vanish
//	slow NODE D1 D2              requests take D1 to arrive, answers D2
//	lose NODE                    the answer to its next heartbeat is lost after the commit
//	mend NODE                    end cut and stall
//	step D                       the database's clock is that far ahead from now on
//	crash NODE                   its process vanishes: no word, no last will
//	will NODE                    the last will of a crashed node is said
//	stop NODE                    a graceful leave
//	takes NODE [CLASS...]        change what a node takes
//	busy NODE, idle NODE         holders of the node do not, or do, return when asked to yield
//	stuck NODE D                 holders of the node take that long to return
//	hint [NODE...]               nodes, or all, are told that the ledger may have moved
//	assert LEASE TOKEN           an application asserts it in a transaction, and sits in it until "commit"
//	sql STATEMENT                run it, print its rows
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			db := sqltest.New(t)
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, db, string(text)) })
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// play runs one scenario and returns its text with what was printed.
func play(t *testing.T, db *sqltest.DB, text string) string {
	w := &world{t: t, db: db.Bubble(t), began: time.Now(), nodes: map[string]*node{}}
	w.exec(`SELECT coterie.cluster_init('test')`)
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "   ") {
			continue // what it printed last time
		}
		fmt.Fprintln(&out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		w.do(strings.Fields(line))
		synctest.Wait()
		for _, said := range w.take() {
			fmt.Fprintln(&out, "   "+said)
		}
	}
	w.end()
	return out.String()
}

type world struct {
	t     *testing.T
	db    *sqltest.DB
	began time.Time
	nodes map[string]*node // by name, the latest life
	lives []*node
	tx    *sqlx.Tx
	wait  sync.WaitGroup

	mu   sync.Mutex // guards what follows
	said []said
}

type said struct {
	at   time.Duration
	text string
}

// node is one life of a node, or what is left of it.
type node struct {
	*leases.Session
	line    *sqltest.Pool
	stop    context.CancelFunc
	mu      sync.Mutex // guards what follows
	crashed bool
	busy    bool
	slow    time.Duration
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, said{time.Since(w.began), fmt.Sprintf(format, args...)})
}

// take returns what was said since the last time. What happens at one instant of
// the bubble's clock has no order, so it is told by name, and what begins last.
func (w *world) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.said, func(a, b said) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		if a, b := strings.Contains(a.text, " begins "), strings.Contains(b.text, " begins "); a != b {
			return map[bool]int{false: -1, true: 1}[a]
		}
		return strings.Compare(a.text, b.text)
	})
	var lines []string
	for _, s := range w.said {
		lines = append(lines, fmt.Sprintf("%7.2fs %s", s.at.Seconds(), s.text))
	}
	w.said = nil
	return lines
}

func (w *world) do(f []string) {
	verb, args := f[0], f[1:]
	switch verb {
	case "lease":
		names, class := args, "work"
		if i := slices.Index(args, "class"); i >= 0 {
			names, class = args[:i], args[i+1]
		}
		for _, name := range names {
			w.exec(`SELECT coterie.lease_declare(ARRAY[$1], $2)`, name, class)
		}
	case "start":
		w.start(args[0], len(args) > 1)
	case "advance":
		time.Sleep(w.duration(args[0]))
	case "cut":
		w.nodes[args[0]].line.Cut()
	case "stall":
		w.nodes[args[0]].line.Stall()
	case "mend":
		w.nodes[args[0]].line.Mend()
	case "slow":
		w.nodes[args[0]].line.Slow(w.duration(args[1]), w.duration(args[2]))
	case "lose":
		w.nodes[args[0]].line.LoseAnswer("coterie.tick")
	case "step":
		w.db.Step(w.duration(args[0]))
	case "crash":
		w.crash(args[0])
	case "will":
		n := w.nodes[args[0]]
		if _, err := leases.EndSession(w.t.Context(), w.db.DB, args[0], n.View().Incarnation, "crash", "last will"); err != nil {
			w.t.Fatal(err)
		}
	case "stop":
		w.nodes[args[0]].stop()
	case "takes":
		w.nodes[args[0]].Change(args[1:], nil)
	case "busy", "idle":
		w.nodes[args[0]].set(func(n *node) { n.busy = verb == "busy" })
	case "stuck":
		w.nodes[args[0]].set(func(n *node) { n.slow = w.duration(args[1]) })
	case "hint":
		for name, n := range w.nodes {
			if len(args) == 0 || slices.Contains(args, name) {
				n.Wake()
			}
		}
	case "assert":
		tx, err := w.db.Beginx()
		if err != nil {
			w.t.Fatal(err)
		}
		w.tx = tx
		if _, err := tx.Exec(`SELECT coterie.assert_lease($1, $2)`, args[0], args[1]); err != nil {
			w.say("refused: %v", err)
			if err := tx.Rollback(); err != nil {
				w.t.Fatal(err)
			}
		}
	case "commit":
		if err := w.tx.Commit(); err != nil {
			w.t.Fatal(err)
		}
	case "sql":
		w.query(strings.Join(args, " "))
	default:
		w.t.Fatalf("no command %q", verb)
	}
}

func (w *world) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) exec(query string, args ...any) {
	if _, err := w.db.Exec(query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

func (w *world) query(query string) {
	rows, err := w.db.Queryx(query)
	if err != nil {
		w.say("%v", err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		cols, err := rows.SliceScan()
		if err != nil {
			w.t.Fatal(err)
		}
		var line []string
		for _, c := range cols {
			if b, ok := c.([]byte); ok {
				c = string(b)
			}
			line = append(line, fmt.Sprint(c))
		}
		w.say("%s", strings.Join(line, " | "))
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start(name string, afterCrash bool) {
	n := &node{line: w.db.Agent()}
	var former int64
	if old := w.nodes[name]; old != nil && afterCrash {
		former = old.View().Incarnation
	}
	n.begin(w, name, former, 0)
	w.nodes[name] = n
	w.lives = append(w.lives, n)
	ctx, cancel := context.WithCancel(w.t.Context())
	n.stop = cancel
	w.wait.Go(func() {
		for {
			err := n.Run(ctx)
			switch {
			case n.get().crashed:
			case errors.Is(err, leases.ErrLost) && ctx.Err() == nil:
				w.say("%s has lost its session, and begins another", name)
				n.begin(w, name, 0, n.View().Mark)
				continue
			case err == nil || errors.Is(err, context.Canceled):
				w.say("%s has left", name)
			default:
				w.say("%s: %v", name, err)
			}
			return
		}
	})
}

// begin makes a session as an agent does.
func (n *node) begin(w *world, name string, former int64, mark leases.Token) {
	n.set(func(n *node) {
		n.Session = &leases.Session{
			DB: n.line.DB, Node: name, Takes: []string{"work"}, Former: former, Mark: mark,
			Hold: func(ctx context.Context, g leases.Grant) { w.hold(ctx, n, g) },
			Ticked: func(t leases.Tick) {
				if t.Stepped != 0 {
					w.say("%s sees the database's clock step by %v", name, t.Stepped)
				}
			},
		}
	})
}

func (n *node) set(f func(*node)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n)
}

// get returns what a holder does now.
func (n *node) get() (now struct {
	crashed, busy bool
	slow          time.Duration
}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now.crashed, now.busy, now.slow = n.crashed, n.busy, n.slow
	return now
}

// hold tells what a holder does, until its process is gone.
func (w *world) hold(ctx context.Context, n *node, g leases.Grant) {
	w.say("%s begins %s with token %d", n.Node, g.Lease, g.Token)
	yield := g.Yield
	for {
		select {
		case <-yield:
			if n.get().busy {
				w.say("%s is asked to yield %s, and is busy", n.Node, g.Lease)
				yield = nil
				continue
			}
			w.say("%s yields %s", n.Node, g.Lease)
			return
		case <-ctx.Done():
			if now := n.get(); now.slow > 0 && !now.crashed {
				w.say("%s is told to end %s: %v", n.Node, g.Lease, context.Cause(ctx))
				time.Sleep(now.slow)
			}
			if !n.get().crashed {
				w.say("%s ends %s with token %d: %v", n.Node, g.Lease, g.Token, context.Cause(ctx))
			}
			return
		}
	}
}

// crash makes a process vanish: it reaches nobody and nobody hears of it.
func (w *world) crash(name string) {
	n := w.nodes[name]
	n.set(func(n *node) { n.crashed = true })
	n.line.Cut()
	n.stop()
}

func (w *world) end() {
	for _, n := range w.lives {
		n.set(func(n *node) { n.crashed = true })
		n.stop()
	}
	w.wait.Wait()
}
