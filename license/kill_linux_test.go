package license

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

var (
	kills = flag.Int("kills", 12, "how many SIGKILLs the nodes get")
)

// TestMain lets the test program be a node that can be killed.
func TestMain(m *testing.M) {
	if name := os.Getenv("COTERIE_SEATS_NODE"); name != "" {
		if err := victim(name, os.Getenv("COTERIE_SEATS_DSN"), os.Getenv("COTERIE_SEATS_DIARY")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

const (
	killSeats   = 16
	killUsers   = 100
	killClients = 8
)

// boot is a clock that all processes share.
func boot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// victim is a node with clients that take seats and give them back. Its diary says
// when it knew that somebody had a seat: from after the answer until before it was
// given back, or until its session could not be trusted any more.
func victim(name, dsn, diary string) error {
	file, err := os.OpenFile(diary, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	note := func(at time.Duration, what, user string) {
		if _, err := fmt.Fprintf(file, "%d %s %s\n", at, what, user); err != nil {
			panic(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background()) // a session takes one that cannot end for ended
	defer cancel()
	beats, err := schema.Open(ctx, schema.Options{DSN: dsn, MaxConns: 2})
	if err != nil {
		return err
	}
	pool, err := schema.Open(ctx, schema.Options{DSN: dsn, MaxConns: 2})
	if err != nil {
		return err
	}
	d := &Desk{DB: pool, Node: name, Now: boot}
	s := &leases.Session{DB: beats, Node: name, Hold: func(context.Context, leases.Grant) {}}
	s.Began = func(incarnation int64, _ time.Time) { d.Began(incarnation) }
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	go func() {
		for {
			time.Sleep(2 * time.Millisecond)
			if until := s.View().Trusted; !until.IsZero() && time.Now().After(until) {
				note(boot()+time.Until(until), "!", "")
				os.Exit(3)
			}
		}
	}()
	for range killClients {
		go func() {
			for {
				user := fmt.Sprintf("user%d", rand.IntN(killUsers))
				u := floating(user)
				u.Session = strconv.FormatUint(rand.Uint64(), 36)
				if _, err := d.Checkout(ctx, u, 0); err != nil {
					if !errors.Is(err, ErrDenied) {
						note(boot(), "?", err.Error())
					}
					time.Sleep(time.Millisecond)
					continue
				}
				note(boot(), "+", user)
				time.Sleep(rand.N(30 * time.Millisecond))
				note(boot(), "-", user)
				if err := d.Checkin(ctx, u, 0); err != nil && !errors.Is(err, ErrNotHeld) {
					note(boot(), "?", err.Error())
				}
			}
		}()
	}
	go func() { _ = d.Run(ctx) }()
	return s.Run(ctx)
}

// crowd is nodes that are killed and followed by others.
type crowd struct {
	testing.TB
	server  *pgserver.Server
	dir     string
	mu      sync.Mutex // guards what follows
	running []*exec.Cmd
	lines   []io.Closer
	born    int
	ends    map[string]time.Duration // when each was killed
}

func (c *crowd) spawn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.born++
	name := fmt.Sprintf("n%d", c.born)
	cmd := exec.Command(os.Args[0], "-test.run=NONE")
	cmd.Env = append(os.Environ(), "COTERIE_SEATS_NODE="+name, "COTERIE_SEATS_DSN="+c.server.DSN("postgres"), "COTERIE_SEATS_DIARY="+filepath.Join(c.dir, name))
	// It ends with this process, which holds the other end. (A death signal would come
	// with the end of the thread that started it.)
	line, err := cmd.StdinPipe()
	if err != nil {
		c.Fatal(err)
	}
	c.lines = append(c.lines, line)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	c.running = append(c.running, cmd)
}

// kill kills one of the nodes, whatever it is doing.
func (c *crowd) kill(i int) {
	c.mu.Lock()
	victim := c.running[i]
	c.running = slices.Delete(c.running, i, i+1)
	name := strings.TrimPrefix(victim.Env[len(victim.Env)-3], "COTERIE_SEATS_NODE=")
	c.ends[name] = boot()
	c.mu.Unlock()
	_ = victim.Process.Kill() // perhaps it has ended by itself
	_ = victim.Wait()
}

// judge reads all diaries, and tells the most users who had a seat at once.
func (c *crowd) judge() (most, grants int) {
	type word struct {
		at    time.Duration
		user  string
		enter bool
	}
	var words []word
	said := map[string]int{}
	files, err := os.ReadDir(c.dir)
	if err != nil {
		c.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(c.dir, f.Name()))
		if err != nil {
			c.Fatal(err)
		}
		end, killed := c.ends[f.Name()]
		if !killed {
			end = 1 << 62
		}
		open := map[string]int{}
		lines := bufio.NewScanner(bytes.NewReader(text))
		for lines.Scan() {
			part := strings.SplitN(lines.Text(), " ", 3)
			n, err := strconv.ParseInt(part[0], 10, 64)
			if err != nil || len(part) < 3 {
				continue // cut off in the middle
			}
			at, user := time.Duration(n), part[2]
			switch part[1] {
			case "+":
				if at < end {
					open[user]++
					grants++
					words = append(words, word{at, user, true})
				}
			case "-":
				if open[user] > 0 {
					open[user]--
					words = append(words, word{min(at, end), user, false})
				}
			case "?":
				said[user]++
			case "!":
				end = min(end, at)
				c.Logf("%s lost its session", f.Name())
			}
		}
		for user, n := range open {
			for range n {
				words = append(words, word{end, user, false})
			}
		}
	}
	slices.SortStableFunc(words, func(a, b word) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		if a.enter == b.enter {
			return 0
		}
		return map[bool]int{true: 1, false: -1}[a.enter] // at one instant who leaves has left
	})
	c.Log(said)
	has := map[string]int{}
	for _, w := range words {
		if w.enter {
			has[w.user]++
		} else if has[w.user]--; has[w.user] <= 0 {
			delete(has, w.user)
		}
		most = max(most, len(has))
	}
	return most, grants
}

func newCrowd(t testing.TB, settings map[string]string, mutate string) (*crowd, *lab) {
	t.Helper()
	server, err := pgserver.Start(t.Context(), pgserver.Options{Durable: true, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	db, err := schema.Open(t.Context(), schema.Options{DSN: server.DSN("postgres"), MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	l := &lab{TB: t, db: db, nodes: map[string]*node{}}
	l.exec(`SELECT coterie.cluster_init('lab')`)
	l.exec(`UPDATE coterie.setting SET session_ttl = '2s', heartbeat = '300ms', margin = '300ms'`)
	l.define(fmt.Sprintf(`{"pools": [{"name": "floating", "seats": %d}]}`, killSeats))
	if mutate != "" {
		l.exec(mutate)
	}
	return &crowd{TB: t, server: server, dir: t.TempDir(), ends: map[string]time.Duration{}}, l
}

func TestNoSeatIsGrantedTwiceOrLeakedWhateverIsKilled(t *testing.T) {
	if testing.Short() && *kills > 6 {
		*kills = 6
	}
	c, l := newCrowd(t, nil, "")
	for range 5 {
		c.spawn()
	}
	time.Sleep(time.Second)
	for n := range *kills {
		time.Sleep(200*time.Millisecond + rand.N(700*time.Millisecond))
		if n%5 == 4 {
			if err := c.server.Restart(t.Context(), pgserver.Immediate); err != nil {
				t.Fatal(err)
			}
			continue
		}
		c.kill(rand.IntN(len(c.running)))
		c.spawn()
	}
	time.Sleep(500 * time.Millisecond)
	for len(c.running) > 0 {
		c.kill(0)
	}
	ended := time.Now()
	most, grants := c.judge()
	t.Logf("%d kills, %d checkouts, at most %d of %d seats held at once", *kills, grants, most, killSeats)
	if most > killSeats {
		t.Errorf("%d users had a seat at once, of %d", most, killSeats)
	}
	if grants < 50 {
		t.Errorf("only %d checkouts: that shows little", grants)
	}
	// A witness ends the sessions of the dead; all seats come back.
	db, err := schema.Open(t.Context(), schema.Options{DSN: c.server.DSN("postgres"), MaxConns: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := l.start("witness", db, db)
	l.define(`{"pools": [{"name": "floating"}]}`)
	l.await(`SELECT count(*) = 1 FROM coterie.session`)
	if err := w.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	l.await(`SELECT free = $1 AND in_use = 0 FROM coterie.license_pools`, killSeats)
	t.Logf("all seats were free %v after the last kill", time.Since(ended).Round(10*time.Millisecond))
	if n := get[int](l, `SELECT count(*) FROM coterie.license_events WHERE kind = 'excess'`); n > 0 {
		t.Logf("%d users at work had lost their seat", n)
	}
	l.checkLedger()
}

// naive counts and then inserts, as one does at first.
const naive = `
CREATE OR REPLACE FUNCTION coterie.license_open(p_name text) RETURNS coterie.license_pool
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$ SELECT l.* FROM coterie.license_pool l WHERE l.name = p_name $$;
CREATE OR REPLACE FUNCTION coterie.license_note(p_pool coterie.license_pool, p_before integer, p_most integer, p_most_over integer, p_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$ SELECT $$;
CREATE OR REPLACE FUNCTION coterie.license_take(p_pool coterie.license_pool, p_use coterie.license_use, p_who text, p_from text) RETURNS coterie.license_step
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
	IF (SELECT count(DISTINCT u.key) FROM coterie.license_use u WHERE u.pool = p_pool.name) >= p_pool.entitled THEN
		RETURN ROW('denied', NULL, NULL, 0, 0, 'full')::coterie.license_step;
	END IF;
	INSERT INTO coterie.license_use SELECT p_use.*;
	RETURN ROW('granted', 1, 'seat', 0, 0, NULL)::coterie.license_step;
END $$;
CREATE OR REPLACE FUNCTION coterie.license_let(p_pool coterie.license_pool, p_use coterie.license_use, p_kind text) RETURNS coterie.license_step
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
	DELETE FROM coterie.license_use u WHERE u.session = p_use.session;
	RETURN ROW('released', NULL, NULL, 0, 0, NULL)::coterie.license_step;
END $$`

func TestTheJudgeCatchesWhoCountsAndThenInserts(t *testing.T) {
	c, _ := newCrowd(t, nil, naive)
	for range 4 {
		c.spawn()
	}
	time.Sleep(4 * time.Second)
	for len(c.running) > 0 {
		c.kill(0)
	}
	most, grants := c.judge()
	t.Logf("%d checkouts, at most %d of %d seats held at once", grants, most, killSeats)
	if most <= killSeats {
		t.Error("one too many was not noticed")
	}
}

// forgetful acknowledges before it is on disk.
const forgetful = `
CREATE OR REPLACE FUNCTION coterie.license_settle(p_incarnation bigint, p_number bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$ SELECT $$`

// What is acknowledged survives a crash of the server even where its settings say
// otherwise; without that care it does not.
func TestACrashOfTheServerForgetsNoSeat(t *testing.T) {
	for name, mutate := range map[string]string{"ours": "", "forgetful": forgetful} {
		t.Run(name, func(t *testing.T) {
			c, l := newCrowd(t, map[string]string{"synchronous_commit": "off", "wal_writer_delay": "10s"}, mutate)
			l.exec(`CHECKPOINT`)
			db, err := schema.Open(t.Context(), schema.Options{DSN: c.server.DSN("postgres"), MaxConns: 3})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			n := l.start("n", db, db)
			time.Sleep(500 * time.Millisecond) // heartbeats are not what is tried here
			for i := range killSeats {
				if _, err := n.Checkout(t.Context(), floating(fmt.Sprintf("user%d", i)), 0); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.server.Restart(t.Context(), pgserver.Immediate); err != nil {
				t.Fatal(err)
			}
			var left int
			for range 50 {
				if err = l.db.Get(&left, `SELECT count(*) FROM coterie.license_events WHERE kind = 'granted' AND at < pg_postmaster_start_time()`); err == nil {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			t.Logf("%d of %d acknowledged seats are known after the crash (%v)", left, killSeats, err)
			if forgotten := left < killSeats; forgotten != (mutate != "") {
				t.Errorf("forgotten: %v", forgotten)
			}
		})
	}
}
