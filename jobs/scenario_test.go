package jobs_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	godiff "github.com/google/go-cmp/cmp"

	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

var update = flag.Bool("update", false, "write what the scenarios print into their files")

// TestScenarios plays testdata/*.txt: lines at the margin are commands, indented
// lines are what they must print. Nodes live in one synctest bubble, each with a
// session of its own, against a real database whose clock is the bubble's.
//
//	job NAME SCHEDULE [; KEY VALUE]...   define a job; keys: those of a file, disabled, and of its action takes D, fails [N] (attempts), panics, stubborn D (to end)
//	remove NAME                          remove a job
//	pause WHO [NAME], unpause WHO [NAME] a job, or all of them
//	start NODE [ACTION|tag:T|most:N]...  begin a life of a node that defines these actions (ok), has these tags and runs so many at once;
//	                                     the action exec is a command, the others are functions
//	advance D                            let time pass
//	cut NODE, stall NODE, mend NODE      cut a node from the database; let its packets vanish; end both
//	cut NODE beats                       cut its session only: its runs go through
//	slow NODE D1 D2                      requests of the node take D1 to arrive, answers D2
//	lose NODE FUNCTION                   the answer to its next call of that function is lost after the commit
//	step D                               the database's clock is that far ahead from now on
//	crash NODE                           its process vanishes with all it started: no word, no last will
//	drain NODE                           it hands its leases over between runs
//	stop NODE                            a graceful leave
//	request JOB WHO                      ask for a run
//	rows JOB                             print what became of its slots
//	ledger KIND                          print the events of a kind
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
			if diff := godiff.Diff(string(text), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// play runs one scenario and returns its text with what was printed.
func play(t *testing.T, db *sqltest.DB, text string) string {
	w := &world{t: t, db: db.Bubble(t), began: time.Now(), nodes: map[string]*node{}, acts: map[string]conduct{}, open: map[string]int{}}
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
	nodes map[string]*node // by name, the latest process
	wait  sync.WaitGroup

	processes []*node

	mu   sync.Mutex // guards what follows
	said []said
	acts map[string]conduct
	open map[string]int // actions of a job at work now, on all nodes
}

type said struct {
	at   time.Duration
	text string
}

// conduct is how the action of a job behaves.
type conduct struct {
	takes    time.Duration
	fails    int // attempts
	panics   bool
	fenced   bool          // its effects: runs may go on beside those that follow
	stubborn time.Duration // how long it goes on when it should end
}

// node is one process: its lives follow each other.
type node struct {
	runner *jobs.Runner
	beats  *sqltest.Pool // of its sessions
	runs   *sqltest.Pool // of its runner
	stop   context.CancelFunc
	moved  chan struct{}

	mu    sync.Mutex // guards what follows
	life  *leases.Session
	takes []string
}

func (n *node) session() *leases.Session {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.life
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, said{time.Since(w.began), fmt.Sprintf(format, args...)})
}

// take returns what was said since the last time. What happens at one instant of
// the bubble's clock has no order, so what ends is told first.
func (w *world) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.said, func(a, b said) int {
		later := func(s said) int { return strings.Count(s.text, " starts ") }
		if a.at < 0 {
			return 0
		}
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(later(a), later(b)), cmp.Compare(a.text, b.text))
	})
	var lines []string
	for _, s := range w.said {
		if s.at < 0 {
			lines = append(lines, s.text)
			continue
		}
		lines = append(lines, fmt.Sprintf("%8.3fs %s", s.at.Seconds(), s.text))
	}
	w.said = nil
	return lines
}

func (w *world) do(f []string) {
	verb, args := f[0], f[1:]
	switch verb {
	case "job":
		w.define(strings.Join(args, " "))
	case "remove":
		w.apply(args[0], nil)
	case "pause", "unpause":
		do, name := jobs.PauseJobs, strings.Join(args[1:], "")
		if verb == "unpause" {
			do = jobs.UnpauseJobs
		}
		changed, err := do(w.t.Context(), w.db.Operator().DB, name, args[0], "")
		if err != nil || !changed {
			w.t.Fatalf("%s %v: %v, %v", verb, args, changed, err)
		}
	case "start":
		w.start(args[0], args[1:])
	case "advance":
		time.Sleep(w.duration(args[0]))
	case "cut":
		if len(args) > 1 {
			w.nodes[args[0]].beats.Cut()
			break
		}
		w.each(args[0], (*sqltest.Pool).Cut)
	case "stall":
		w.each(args[0], (*sqltest.Pool).Stall)
	case "mend":
		w.each(args[0], (*sqltest.Pool).Mend)
	case "slow":
		w.each(args[0], func(p *sqltest.Pool) { p.Slow(w.duration(args[1]), w.duration(args[2])) })
	case "lose":
		w.each(args[0], func(p *sqltest.Pool) { p.LoseAnswer("coterie." + args[1]) })
	case "step":
		w.db.Step(w.duration(args[0]))
	case "crash":
		w.each(args[0], (*sqltest.Pool).Cut)
		w.nodes[args[0]].stop()
	case "drain":
		w.nodes[args[0]].drain()
	case "stop":
		w.nodes[args[0]].stop()
	case "request":
		due, err := jobs.Request(w.t.Context(), w.db.Operator().DB, jobs.Asking{Job: args[0], By: args[1]})
		if err != nil {
			w.t.Fatal(err)
		}
		w.say("asked for %s at %s", args[0], w.since(due))
	case "rows":
		w.rows(args[0])
	case "ledger":
		w.ledger(args[0])
	default:
		w.t.Fatalf("no such command: %s", verb)
	}
}

func (w *world) each(node string, do func(*sqltest.Pool)) {
	do(w.nodes[node].beats)
	do(w.nodes[node].runs)
}

func (w *world) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// since is an instant as seconds of the scenario.
func (w *world) since(t time.Time) string {
	return strconv.FormatFloat(t.Sub(w.began).Round(time.Millisecond).Seconds(), 'f', -1, 64) + "s"
}

func (w *world) exec(query string, args ...any) {
	if _, err := w.db.Exec(query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

func (w *world) define(text string) {
	parts := strings.Split(text, ";")
	name, schedule, _ := strings.Cut(parts[0], " ")
	d := jobs.Definition{Name: name, Schedule: strings.TrimSpace(schedule), Action: "ok"}
	c := conduct{takes: time.Millisecond}
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		switch key {
		case "takes":
			c.takes = w.duration(value)
		case "stubborn":
			c.stubborn = w.duration(value)
		case "fails":
			if c.fails = 1 << 20; value != "" {
				c.fails = w.number(value)
			}
		case "panics":
			c.panics = true
		case "misfire":
			d.Misfire = jobs.Misfire(value)
		case "misfire_limit":
			d.MisfireLimit = w.number(value)
		case "catch_up":
			d.CatchUp = w.duration(value)
		case "overlap":
			d.Overlap = jobs.Overlap(value)
		case "retries":
			d.Retries = w.number(value)
		case "retry_after":
			d.RetryAfter = w.duration(value)
		case "on_lost":
			d.OnLost = jobs.OnLost(value)
		case "while_away":
			d.WhileAway = jobs.WhileAway(value)
			c.fenced = d.WhileAway == jobs.AwayFinish
		case "queue":
			d.Queue = true
		case "priority":
			d.Priority = w.number(value)
		case "group":
			group, limit, _ := strings.Cut(value, " ")
			d.Group, d.GroupLimit = group, w.number(limit)
		case "requires":
			d.Requires = strings.Fields(value)
		case "jitter":
			d.Jitter = w.duration(value)
		case "except":
			d.Except = strings.Split(value, ",")
		case "timeout":
			d.Timeout = w.duration(value)
		case "action":
			d.Action = value
		case "disabled":
			d.Disabled = true
		default:
			w.t.Fatalf("no such key: %s", key)
		}
	}
	w.mu.Lock()
	w.acts[name] = c
	w.mu.Unlock()
	w.apply(name, &d)
}

// apply replaces one definition.
func (w *world) apply(name string, d *jobs.Definition) {
	current, err := jobs.Current(w.t.Context(), w.db.DB)
	if err != nil {
		w.t.Fatal(err)
	}
	wanted := slices.DeleteFunc(slices.Clone(current), func(d jobs.Definition) bool { return d.Name == name })
	if d != nil {
		wanted = append(wanted, *d)
	}
	if _, err := jobs.Apply(w.t.Context(), w.db.Operator().DB, jobs.Diff(current, wanted), ""); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start(name string, actions []string) {
	login := "node_" + name
	n := &node{moved: make(chan struct{}, 1), beats: w.db.Login(login, schema.Agent), runs: w.db.Login(login, schema.Agent)}
	n.runner = &jobs.Runner{DB: n.runs.DB, Node: name, Actions: map[string]jobs.Action{}}
	n.runner.Now = func() time.Time { return n.session().Clock.Now() }
	for _, word := range actions {
		switch kind, value, _ := strings.Cut(word, ":"); kind {
		case "tag":
			n.runner.Tags = append(n.runner.Tags, value)
		case "most":
			n.runner.Most = w.number(value)
		case "exec":
			n.runner.Actions[word] = jobs.Exec{Argv: []string{"act"}, Spawn: w.spawn}
		default:
			n.runner.Actions[word] = jobs.Func(w.act)
		}
	}
	if len(n.runner.Actions) == 0 {
		n.runner.Actions["ok"] = jobs.Func(w.act)
	}
	if err := n.runner.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	n.takes = n.runner.Takes()
	var ctx context.Context
	ctx, n.stop = context.WithCancel(w.t.Context())
	w.nodes[name], w.processes = n, append(w.processes, n)
	w.wait.Go(func() { n.follow(ctx) })
	w.wait.Go(func() {
		for {
			err := n.live(ctx)
			if !errors.Is(err, leases.ErrLost) {
				return // stopped, or crashed
			}
			w.say("%s has lost its session, and begins another", name)
		}
	})
}

// live is one life of a node.
func (n *node) live(ctx context.Context) error {
	head := int64(-1)
	n.mu.Lock()
	life := &leases.Session{DB: n.beats.DB, Node: n.runner.Node, Takes: n.takes, Keep: n.runner, Ticked: func(t leases.Tick) {
		if t.Err != nil || t.Head == head {
			return
		}
		head = t.Head
		select {
		case n.moved <- struct{}{}:
		default:
		}
	}}
	n.life = life
	n.mu.Unlock()
	return life.Run(ctx)
}

// drain hands all leases over.
func (n *node) drain() {
	n.mu.Lock()
	n.takes = []string{}
	n.mu.Unlock()
	n.session().Change([]string{}, nil)
}

// follow reads the definitions whenever the ledger moved, as an agent does.
func (n *node) follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.moved:
			for n.runner.Refresh(ctx) != nil && ctx.Err() == nil {
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
}

// act is every action: it tells when it starts and ends, and whether another one
// of its job is at work anywhere.
func (w *world) act(ctx context.Context, r jobs.Run) (err error) {
	w.mu.Lock()
	c := w.acts[r.Job]
	w.open[r.Job]++
	if w.open[r.Job] > 1 && !c.fenced {
		w.t.Errorf("%d runs of %s at once at %v", w.open[r.Job], r.Job, time.Since(w.began))
	}
	w.mu.Unlock()
	attempt := ""
	if r.Attempt > 1 {
		attempt = fmt.Sprintf(", attempt %d", r.Attempt)
	}
	w.say("%s starts %s of %s with token %d%s", r.Node, r.Job, w.since(r.Due), r.Token, attempt)
	defer func() {
		w.mu.Lock()
		w.open[r.Job]--
		w.mu.Unlock()
		how := "well"
		if err != nil {
			how = err.Error()
		}
		w.say("%s ends %s of %s: %s", r.Node, r.Job, w.since(r.Due), how)
	}()
	fmt.Fprintf(r.Output, "working on %s\n", r.Job)
	if c.panics {
		panic("cannot be")
	}
	t := time.NewTimer(c.takes)
	defer t.Stop()
	select {
	case <-ctx.Done():
		time.Sleep(c.stubborn)
		return context.Cause(ctx)
	case <-t.C:
	}
	if r.Attempt <= c.fails {
		return errors.New("no luck")
	}
	return nil
}

// spawn is the command of the action exec: it acts as the others do.
func (w *world) spawn(ctx context.Context, c jobs.Command) (jobs.Exit, error) {
	said := map[string]string{}
	for _, pair := range c.Env {
		name, value, _ := strings.Cut(pair, "=")
		said[name] = value
	}
	due, err := time.Parse(time.RFC3339Nano, said["COTERIE_DUE_AT"])
	if err != nil {
		return jobs.Exit{}, err
	}
	r := jobs.Run{
		Job: said["COTERIE_JOB"], Due: due, Token: leases.Token(w.number(said["COTERIE_TOKEN"])),
		Attempt: w.number(said["COTERIE_ATTEMPT"]), Node: said["COTERIE_NODE"], Output: c.Output,
	}
	if err := w.act(ctx, r); err != nil {
		return jobs.Exit{Code: 1}, nil
	}
	return jobs.Exit{}, nil
}

// ledger prints the events of a kind.
func (w *world) ledger(kind string) {
	var rows []string
	if err := w.db.Select(&rows, `SELECT concat_ws(' ', subject, 'token', token || ':', reason) FROM coterie.events WHERE kind = $1 ORDER BY id`, kind); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range rows {
		w.said = append(w.said, said{-1, line})
	}
}

// rows prints the slots of a job, and of many the first and the last.
func (w *world) rows(job string) {
	var rows []struct {
		Due     time.Time `db:"due_at"`
		Node    *string
		Token   int64
		Attempt int
		Outcome string
		Who     *string `db:"requested_by"`
		Reason  *string
	}
	if err := w.db.Select(&rows, `SELECT due_at, node, token, attempt, outcome, requested_by, reason FROM coterie.runs WHERE job = $1 ORDER BY due_at`, job); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, r := range rows {
		if len(rows) > 20 && i >= 2 && i < len(rows)-2 {
			if i == 2 {
				w.said = append(w.said, said{-1, fmt.Sprintf("... %d more", len(rows)-4)})
			}
			continue
		}
		line := fmt.Sprintf("%s %s", w.since(r.Due), r.Outcome)
		if r.Node != nil {
			line += fmt.Sprintf(" on %s with token %d", *r.Node, r.Token)
		}
		if r.Attempt > 1 {
			line += fmt.Sprintf(", attempt %d", r.Attempt)
		}
		if r.Who != nil {
			line += ", asked for by " + *r.Who
		}
		if r.Reason != nil {
			line += ": " + strings.ReplaceAll(*r.Reason, "2000-01-01T", "")
		}
		w.said = append(w.said, said{-1, line})
	}
}

// end lets everything end and checks that the database agrees with what was seen.
func (w *world) end() {
	for _, n := range w.processes {
		n.stop()
		n.beats.Mend()
		n.runs.Mend()
	}
	w.wait.Wait()
	for _, n := range w.processes {
		n.beats.SetMaxIdleConns(0) // those that were cut complain when they are closed
		n.runs.SetMaxIdleConns(0)
	}
	var broken []string
	if err := w.db.Select(&broken, `SELECT invariant || ': ' || text FROM coterie.violations`); err != nil {
		w.t.Fatal(err)
	}
	for _, b := range broken {
		w.t.Errorf("violation: %s", b)
	}
}
