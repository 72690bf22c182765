package license

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

var (
	kills     = flag.Int("kills", 4, "how many SIGKILLs clients, nodes and the server get at least")
	checkouts = flag.Int("checkouts", 0, "and how many checkouts are answered meanwhile at least")
)

func TestNoSeatIsGrantedTwiceOrLeakedWhateverIsKilled(t *testing.T) {
	t.Parallel()
	seats, nodes, pace := 16, 3, 400*time.Millisecond
	c, l := newCrowd(t, seats, nil, "")
	if *kills >= 50 {
		// Five nodes with forty clients each, who are too many for the seats.
		seats, nodes, pace = 100, 5, 1200*time.Millisecond
		l.define(fmt.Sprintf(`{"pools": [{"name": "floating", "seats": %d, "idle": "1s"}]}`, seats))
		c.beside, c.sized.Clients, c.sized.Users, c.sized.Holds, c.sized.Idle = 4, 10, 400, 300*time.Millisecond, time.Second
	}
	for range nodes {
		c.spawn()
	}
	time.Sleep(500 * time.Millisecond)
	killed := 0
	for enough := false; !enough; {
		time.Sleep(pace/2 + rand.N(pace))
		c.hurt(killed)
		killed++
		enough = killed >= *kills && (*checkouts == 0 || killed%20 == 0 && c.answered() >= *checkouts)
		if killed%50 == 0 {
			t.Logf("%d kills", killed)
		}
	}
	time.Sleep(300 * time.Millisecond)
	c.endAll()
	ended := time.Now()
	v := judge(c.diaries(), c.ends)
	t.Logf("%d kills, %d checkouts, of which %d were refused; %v; %d sessions lost; at most %d of %d seats held at once",
		killed, v.grants+v.refusals, v.refusals, v.others, v.lost, v.most, seats)
	if v.most > seats {
		t.Errorf("%d users had a seat at once, of %d", v.most, seats)
	}
	if v.grants < 50 {
		t.Errorf("only %d checkouts: that shows little", v.grants)
	}
	// A witness ends the sessions of the dead; all seats come back.
	db, err := schema.Open(t.Context(), schema.Options{DSN: c.server.DSN("postgres"), MaxConns: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // as that of newCrowd
	w := l.start("witness", db, db)
	l.define(`{"pools": [{"name": "floating"}]}`)
	l.await(`SELECT count(*) = 1 FROM coterie.session`)
	if err := w.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	l.await(`SELECT free = $1 AND in_use = 0 FROM coterie.license_pools`, seats)
	t.Logf("all seats were free %v after the last kill", time.Since(ended).Round(10*time.Millisecond))
	if n := get[int](l, `SELECT count(*) FROM coterie.license_events WHERE kind = 'excess'`); n > 0 {
		t.Logf("%d users at work had lost their seat", n)
	}
	l.check(seats)
}

// naive counts and then inserts, as one does at first: it does not count what came
// while its count was on the way to the application and back.
const naive = `
CREATE OR REPLACE FUNCTION coterie.license_open(p_name text) RETURNS coterie.license_pool
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$ SELECT l.* FROM coterie.license_pool l WHERE l.name = p_name $$;
CREATE OR REPLACE FUNCTION coterie.license_note(p_pool coterie.license_pool, p_before integer, p_most integer, p_most_over integer, p_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$ SELECT $$;
CREATE OR REPLACE FUNCTION coterie.license_take(p_pool coterie.license_pool, p_use coterie.license_use, p_who text, p_from text) RETURNS coterie.license_step
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
	IF (SELECT count(DISTINCT u.key) FROM coterie.license_use u
	    WHERE u.pool = p_pool.name AND u.since < coterie.clock() - interval '20 ms') >= p_pool.entitled THEN
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
	t.Parallel()
	db := sqltest.New(t)
	l := &lab{TB: t, db: db.DB, nodes: map[string]*node{}}
	l.exec(`SELECT coterie.cluster_init('lab')`)
	l.define(`{"pools": [{"name": "floating", "seats": 16}]}`)
	l.exec(naive)
	c := crowdOn(t, db.DSNFor("agent"))
	c.sized.Clients, c.sized.Holds = 16, 100*time.Millisecond // who want more seats than there are, however slow the machine is
	for range 4 {
		c.spawn()
	}
	var v verdict
	for begun := time.Now(); v.most <= 16 && time.Since(begun) < 20*time.Second; {
		time.Sleep(500 * time.Millisecond)
		v = judge(c.diaries(), c.ends)
	}
	c.endAll()
	t.Logf("%d checkouts, at most %d of 16 seats held at once", v.grants, v.most)
	if v.most <= 16 {
		t.Error("one too many was not noticed")
	}
}

// Clients that are frozen lose their seats when they idle, and those of a frozen node
// with its session; others have them when the frozen are killed. Whoever forgets
// that in judging accuses the innocent.
func TestTheJudgeAccusesNobodyForHavingBeenFrozen(t *testing.T) {
	t.Parallel()
	const seats = 8
	db := sqltest.New(t)
	l := &lab{TB: t, db: db.DB, nodes: map[string]*node{}}
	l.exec(`SELECT coterie.cluster_init('lab')`)
	l.exec(`UPDATE coterie.setting SET session_ttl = '2s', heartbeat = '300ms', margin = '300ms'`)
	l.define(fmt.Sprintf(`{"pools": [{"name": "floating", "seats": %d, "idle": "1s"}]}`, seats))
	c := crowdOn(t, db.DSNFor("agent"))
	c.sized.Holds, c.sized.Idle = 800*time.Millisecond, time.Second
	for range 4 {
		c.spawn()
	}
	l.await(`SELECT in_use = $1 FROM coterie.license_pools`, seats)
	time.Sleep(500 * time.Millisecond)
	for i, p := range c.nodes[:3] {
		if i == 0 {
			c.freeze(p)
		}
		for _, clients := range c.clients[p.Node] {
			c.freeze(clients)
		}
	}
	l.await(`SELECT count(*) = 3 FROM coterie.session`)
	time.Sleep(500 * time.Millisecond)
	c.endAll()
	v := judge(c.diaries(), c.ends)
	hasty := judge(withoutEnds(c.diaries()), c.ends)
	t.Logf("%d checkouts, at most %d of %d seats held at once; %d by who forgets that seats end", v.grants+v.refusals, v.most, seats, hasty.most)
	if v.most > seats {
		t.Errorf("%d users had a seat at once, of %d", v.most, seats)
	}
	if hasty.most <= seats {
		t.Error("nobody was frozen while he had a seat: that shows nothing")
	}
}

var (
	untilRule = regexp.MustCompile(`(?m)^(\d+ \+ \S+ \S+) \d+$`)
	trustRule = regexp.MustCompile(`(?m)^\d+ [~!] .*\n`)
)

// withoutEnds is diaries that do not say until when something was had.
func withoutEnds(diaries map[string]diary) map[string]diary {
	all := map[string]diary{}
	for name, d := range diaries {
		text := trustRule.ReplaceAllString(string(d), "")
		all[name] = diary(untilRule.ReplaceAllString(text, fmt.Sprintf("$1 %d", never)))
	}
	return all
}

// forgetful acknowledges before it is on disk.
const forgetful = `
CREATE OR REPLACE FUNCTION coterie.license_settle(p_incarnation bigint, p_number bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$ SELECT $$`

// hasty are settings of a server that acknowledges before it writes.
var hasty = map[string]string{"synchronous_commit": "off", "wal_writer_delay": "10s"}

// Holders who were told of a seat that a crash forgot hold it beside those who get
// it next: the judge sees both.
func TestTheJudgeCatchesACrashThatForgets(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a crash must come at the right moment, which takes a while: TestACrashOfTheServerForgetsNoSeat shows the same of one")
	}
	c, l := newCrowd(t, 16, hasty, forgetful)
	l.exec(`UPDATE coterie.setting SET session_ttl = '30s', heartbeat = '10s', margin = '5s'`)
	l.define(`{"pools": [{"name": "floating", "idle": "1h"}]}`)
	c.sized.Holds, c.sized.Idle = 4*time.Second, time.Hour
	for range 4 {
		c.spawn()
	}
	var v verdict
	for crashes := 1; v.most <= 16 && crashes <= 20; crashes++ {
		time.Sleep(2*time.Second + rand.N(time.Second))
		if err := c.server.Restart(t.Context(), pgserver.Immediate); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		v = judge(c.diaries(), c.ends)
		t.Logf("%d crashes, %d checkouts, at most %d of 16 seats held at once", crashes, v.grants, v.most)
	}
	c.endAll()
	if v.most <= 16 {
		t.Error("what the server forgot was not noticed")
	}
}

// What is acknowledged survives a crash of the server even where its settings say
// otherwise; without that care it does not.
func TestACrashOfTheServerForgetsNoSeat(t *testing.T) {
	t.Parallel()
	const seats = 16
	c, l := newCrowd(t, seats, hasty, "")
	for _, one := range []struct {
		how, mutate string
		forgets     bool
	}{{"ours", "SELECT", false}, {"forgetful", forgetful, true}} {
		l.exec(one.mutate)
		l.exec(`CHECKPOINT`)
		db, err := schema.Open(t.Context(), schema.Options{DSN: c.server.DSN("postgres"), MaxConns: 3})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() }) // as that of newCrowd
		n := l.start(one.how, db, db)
		l.exec(`SELECT pg_sleep(0.3)`) // heartbeats are not what is tried here
		for i := range seats {
			if _, err := n.Checkout(t.Context(), floating(fmt.Sprintf("%s%d", one.how, i)), 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.server.Restart(t.Context(), pgserver.Immediate); err != nil {
			t.Fatal(err)
		}
		var left int
		for range 50 {
			if err = l.db.Get(&left, `SELECT count(*) FROM coterie.license_events WHERE kind = 'granted' AND holder LIKE $1 AND at < pg_postmaster_start_time()`, one.how+"%"); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Logf("%s: %d of %d acknowledged seats are known after the crash (%v)", one.how, left, seats, err)
		if left < seats != one.forgets {
			t.Errorf("%s: forgotten: %v", one.how, left < seats)
		}
		n.stop()
		l.exec(`UPDATE coterie.session SET expires_at = coterie.clock() - interval '1 hour'`)
		l.exec(`DELETE FROM coterie.session`)
	}
}
