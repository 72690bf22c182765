package schema_test

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/sql/schema"
)

const tickSQL = `SELECT coterie.tick('app-a', 1, '{work}', 0, 0, 6000, 0, false, false, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')`

// wear is how often something is done to wear the tables out: a quarter of it in
// the short form.
func wear(n int) int {
	if testing.Short() {
		return n / 4
	}
	return n
}

// beats sends that many heartbeats of app-a, and returns how long each took, in order.
func beats(t *testing.T, db *sqlx.DB, n int) []time.Duration {
	t.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		begun := time.Now()
		db.MustExec(tickSQL)
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	return took
}

func sessionTable(t *testing.T, db *sqlx.DB) int64 {
	t.Helper()
	return scalar[int64](t, db, `SELECT pg_table_size('coterie.session')`)
}

// Without vacuum a heartbeat still leaves nothing behind: it is written in place.
func TestHeartbeatsLeaveNothingBehindWithoutVacuum(t *testing.T) {
	db := holding(t)
	db.MustExec(`ALTER TABLE coterie.session SET (autovacuum_enabled = off)`)
	beats(t, db, 200)
	before := sessionTable(t, db)
	n := wear(2000)
	beats(t, db, n)
	if after := sessionTable(t, db); after > before {
		t.Errorf("%d heartbeats made the table grow from %d to %d bytes", n, before, after)
	}
}

// Somebody keeps a view of the database open for hours: a report, a dump, a
// forgotten transaction. Heartbeats become dearer, by little, until it ends.
func TestAnOldSnapshotCostsHeartbeatsLittle(t *testing.T) {
	db := holding(t)
	db.MustExec(`ALTER TABLE coterie.session SET (autovacuum_enabled = off)`)
	fast := beats(t, db, 200)[100]
	old, err := db.BeginTxx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec(`SELECT count(*) FROM coterie.session`); err != nil {
		t.Fatal(err)
	}
	beats(t, db, wear(2400)) // an hour, or a quarter of it
	slow := beats(t, db, 200)[100]
	size := sessionTable(t, db)
	t.Logf("a heartbeat took %v before, %v under an old snapshot; the table has %d KiB", fast, slow, size>>10)
	if slow > 5*fast+5*time.Millisecond {
		t.Errorf("a heartbeat takes %v under an old snapshot, %v without", slow, fast)
	}
	if size > 4<<20 {
		t.Errorf("it left %d bytes", size)
	}
	if err := old.Commit(); err != nil {
		t.Fatal(err)
	}
	beats(t, db, wear(1000))
	if after := sessionTable(t, db); after > size+size/10 {
		t.Errorf("the table grew on from %d to %d bytes when the snapshot was gone", size, after)
	}
}

// What autovacuum does against wraparound, all the time.
func TestFreezingTheTablesDelaysNoHeartbeat(t *testing.T) {
	db := holding(t)
	ctx, stop := context.WithCancel(t.Context())
	frozen := make(chan int)
	go func() {
		n := 0
		for ctx.Err() == nil {
			for _, table := range []string{"session", "lease", "event", "setting", "cluster"} {
				if _, err := db.Exec(`VACUUM (FREEZE) coterie.` + table); err != nil {
					t.Errorf("%s: %v", table, err)
				}
			}
			n++
		}
		frozen <- n
	}()
	took := beats(t, db, wear(1000))
	stop()
	n := <-frozen
	t.Logf("%d heartbeats beside %d rounds of freezing: %v in the middle, %v at most", len(took), n, took[len(took)/2], took[len(took)-1])
	if n < 3 {
		t.Errorf("%d rounds of freezing: too few to prove anything", n)
	}
	if most := took[len(took)-1]; most > time.Second {
		t.Errorf("a heartbeat waited %v", most)
	}
}

// A queue of notifications that is full makes every commit fail that would notify.
// It takes 8 GB to fill, so the threshold is moved instead.
func TestAQueueOfNotificationsThatFillsUpCostsHintsOnly(t *testing.T) {
	db := holding(t)
	hints, _ := listening(t, schema.Listener{
		Options: schema.Options{DSN: server.DSN(scalar[string](t, db, `SELECT current_database()`))}, Channel: "coterie",
	})
	hinted(t, hints, "when it began to listen")
	db.MustExec(`SELECT coterie.lease_declare('{heard}', NULL)`)
	hinted(t, hints, "of an event")

	const threshold = "pg_notification_queue_usage() < 0.5"
	source := scalar[string](t, db, `SELECT pg_get_functiondef('coterie.event_hint'::regproc)`)
	if strings.Count(source, threshold) != 1 {
		t.Fatalf("no threshold in %s", source)
	}
	db.MustExec(strings.Replace(source, threshold, "pg_notification_queue_usage() < 0", 1))
	db.MustExec(`SELECT coterie.lease_declare('{unheard}', NULL)`)
	select {
	case <-hints:
		t.Error("a hint was sent into a queue that fills up")
	case <-time.After(200 * time.Millisecond):
	}
	if n := scalar[int](t, db, `SELECT count(*) FROM coterie.events WHERE subject = 'unheard'`); n != 1 {
		t.Errorf("%d events, want 1: what happens must not depend on hints", n)
	}
}

// Runs and events stay until somebody removes them. No heartbeat reads them all.
func TestAHeartbeatCostsTheSameHoweverMuchHasHappened(t *testing.T) {
	db := holding(t)
	before := beats(t, db, 300)[150]
	db.MustExec(`ALTER TABLE coterie.event DISABLE TRIGGER event_hint`)
	for range wear(40) { // each within the budget of a statement
		db.MustExec(`INSERT INTO coterie.event (node, kind, subject) SELECT 'app-a', 'run.lost', 'job/' || n % 100 FROM generate_series(1, 10000) AS n`)
	}
	db.MustExec(`ALTER TABLE coterie.event ENABLE TRIGGER event_hint`)
	after := beats(t, db, 300)[150]
	n := scalar[int](t, db, `SELECT count(*) FROM coterie.event`)
	t.Logf("a heartbeat took %v with no events, %v with %d", before, after, n)
	if after > 3*before+2*time.Millisecond {
		t.Errorf("a heartbeat takes %v with %d events, %v with none", after, n, before)
	}
}
