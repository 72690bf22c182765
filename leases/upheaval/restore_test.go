package upheaval_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/pgserver"
)

// restored is a database that is about to become what it was, or another one.
type restored struct {
	*cluster
	t      *testing.T
	server *pgserver.Server
	name   string
	db     *sqlx.DB
	file   string // of a dump
}

const heldThere = 4

// databases counts those made so far, for their names.
var databases atomic.Int64

func fresh(name string) string { return fmt.Sprintf("%s_%d", name, databases.Add(1)) }

// before is a cluster in a database of its own.
func before(t *testing.T, s *pgserver.Server) *restored {
	name := fresh("app")
	r := &restored{t: t, server: s, name: name, db: prepare(t, s, name, heldThere), file: filepath.Join(t.TempDir(), "dump")}
	r.cluster = newCluster(t, func(login string) string { return at(name, login, s) })
	return r
}

// grants makes tokens: whatever a node held that leaves goes to the others.
func (r *restored) grants() {
	r.t.Helper()
	was := r.record.highest()
	for r.record.highest() <= was {
		n := r.start("app_c", 0)
		within(r.t, 10*time.Second, "app_c holds something", func() bool { return holds(r.cluster, "app_c") > 0 })
		n.leave()
	}
	r.settle(heldThere, 10*time.Second)
	// Whoever got it: else a node that knows less could give it again before the one that has it shows it.
	within(r.t, 10*time.Second, "every node knows of the highest token", func() bool {
		for _, n := range r.nodes {
			if n.atWork() && n.knows() < r.record.highest() {
				return false
			}
		}
		return true
	})
}

func (r *restored) leaveAll() {
	for _, n := range r.nodes {
		n.leave()
	}
}

// goOn wants everything held again, above all tokens so far, in a new era that
// began for that reason.
func (r *restored) goOn(db *sqlx.DB, before leases.Token, reason string) {
	r.t.Helper()
	begun := time.Now()
	within(r.t, 20*time.Second, "everything is held under the new era", func() bool { return allAbove(r.cluster, heldThere, before) })
	r.t.Logf("everything was held again after %v", time.Since(begun).Round(time.Millisecond))
	eraBegan(r.t, db, 1, reason)
	quietForATTL(r.t, db)
	r.finish(db)
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

// Why an era begins, as regular expressions over what the ledger says.
const (
	aTokenUnknown  = "^a token [0-9]+ was given that this database does not know|^a node has seen rows that were newer"
	anotherHistory = "^this is another server, database or schema than before"
)

// TestARestoredDatabaseBeginsANewEra has one test for each way in which people
// set a database back or put another in its place.
func TestARestoredDatabaseBeginsANewEra(t *testing.T) {
	t.Parallel()
	s := server(t, pgserver.Options{MaxConns: 300})
	for name, play := range map[string]func(*testing.T, *pgserver.Server){
		"files put back under running nodes":     filesPutBack,
		"files put back, only the share knows":   onlyTheShareKnows,
		"dump into the same database":            dumpIntoTheSame,
		"dump into the same database, at one go": dumpIntoTheSameAtOnce,
		"dump of the rows alone":                 dumpOfRows,
		"dump into another database":             dumpIntoAnother,
		"clone by CREATE DATABASE TEMPLATE":      cloneByTemplate,
		"schema dropped and made anew":           schemaMadeAnew,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for round := range *rounds {
				t.Run(fmt.Sprint(round), func(t *testing.T) { play(t, s) })
			}
		})
	}
}

// keepFiles copies the data directory of a server that is down.
func keepFiles(t *testing.T, s *pgserver.Server) string {
	t.Helper()
	kept := filepath.Join(s.Dir, "kept")
	run(t, "cp", "-a", filepath.Join(s.Dir, "data"), kept)
	return kept
}

func putFilesBack(t *testing.T, s *pgserver.Server, kept string) {
	t.Helper()
	if err := s.Halt(pgserver.Fast); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(s.Dir, "data")
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kept, data); err != nil {
		t.Fatal(err)
	}
	if err := s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The same timeline, the same name: what nodes remember is all that tells.
func filesPutBack(t *testing.T, _ *pgserver.Server) {
	s := server(t, pgserver.Options{})
	r := before(t, s)
	r.start("app_a", 0)
	r.start("app_b", 0)
	r.settle(heldThere, 10*time.Second)
	if err := s.Halt(pgserver.Fast); err != nil {
		t.Fatal(err)
	}
	kept := keepFiles(t, s)
	if err := s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.settle(heldThere, 10*time.Second)
	r.grants()
	last := r.record.highest()
	putFilesBack(t, s, kept)
	r.goOn(r.db, last, aTokenUnknown)
}

// All nodes that knew are gone; one that never was there begins.
func onlyTheShareKnows(t *testing.T, _ *pgserver.Server) {
	s := server(t, pgserver.Options{})
	r := before(t, s)
	r.share = newShare(t)
	if err := s.Halt(pgserver.Fast); err != nil {
		t.Fatal(err)
	}
	kept := keepFiles(t, s)
	if err := s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.start("app_a", 0)
	r.start("app_b", 0)
	r.settle(heldThere, 10*time.Second)
	r.grants()
	last := r.record.highest()
	time.Sleep(2 * r.terms.Heartbeat) // what is known is kept with the next probe
	r.leaveAll()
	putFilesBack(t, s, kept)
	r.start("app_d", 0)
	r.goOn(r.db, last, aTokenUnknown)
}

func (r *restored) dump(args ...string) {
	r.t.Helper()
	args = append(args, "--format=custom", "--file="+r.file, "--dbname="+r.server.DSN(r.name))
	run(r.t, r.server.Binaries.Path("pg_dump"), args...)
}

func (r *restored) restore(into string, args ...string) {
	r.t.Helper()
	args = append(args, "--exit-on-error", "--dbname="+r.server.DSN(into), r.file)
	// Nodes at work may be in its way; the manual says to try again.
	for tries := 1; ; tries++ {
		out, err := exec.CommandContext(r.t.Context(), r.server.Binaries.Path("pg_restore"), args...).CombinedOutput()
		switch {
		case err == nil:
			return
		case tries == 5 || !strings.Contains(string(out), "deadlock detected"):
			r.t.Fatalf("pg_restore %q, try %d: %v\n%s", args, tries, err, out)
		}
	}
}

// Nobody stops the nodes: they meet whatever is there in each moment.
func dumpIntoTheSame(t *testing.T, s *pgserver.Server) {
	intoTheSame(t, s, "--clean", "--if-exists")
}

func dumpIntoTheSameAtOnce(t *testing.T, s *pgserver.Server) {
	intoTheSame(t, s, "--clean", "--if-exists", "--single-transaction")
}

func intoTheSame(t *testing.T, s *pgserver.Server, how ...string) {
	r := before(t, s)
	r.start("app_a", 0)
	r.start("app_b", 0)
	r.settle(heldThere, 10*time.Second)
	r.dump()
	r.grants()
	last := r.record.highest()
	r.restore(r.name, how...)
	r.goOn(r.db, last, anotherHistory)
}

// The schema stays, its rows are those of before: neither timeline nor names tell.
func dumpOfRows(t *testing.T, s *pgserver.Server) {
	r := before(t, s)
	r.start("app_a", 0)
	r.start("app_b", 0)
	r.settle(heldThere, 10*time.Second)
	r.dump("--data-only", "--schema=coterie")
	r.grants()
	last := r.record.highest()
	tables := ask[string](t, r.db, `SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables WHERE schemaname = 'coterie'`)
	truncate := "TRUNCATE " + tables
	within(t, 20*time.Second, "all rows are deleted beside nodes that beat", func() bool {
		_, err := r.db.ExecContext(t.Context(), truncate)
		if deadlock := new(pq.Error); errors.As(err, &deadlock) && deadlock.Code == "40P01" {
			return false // an operator says it again, too
		}
		if err != nil {
			t.Fatal(err)
		}
		return true
	})
	r.restore(r.name, "--data-only", "--disable-triggers")
	r.goOn(r.db, last, aTokenUnknown)
}

// Nodes that remember nothing begin on the other database.
func dumpIntoAnother(t *testing.T, s *pgserver.Server) {
	r := before(t, s)
	r.start("app_a", 0)
	r.start("app_b", 0)
	r.settle(heldThere, 10*time.Second)
	r.dump()
	last := r.record.highest()
	another := fresh("another")
	do(t, super(t, s, "postgres"), "CREATE DATABASE "+another)
	r.restore(another)
	r.moveTo(another, last)
}

func cloneByTemplate(t *testing.T, s *pgserver.Server) {
	r := before(t, s)
	for _, n := range []*node{r.start("app_a", 0), r.start("app_b", 0)} {
		defer n.line.open()
	}
	r.settle(heldThere, 10*time.Second)
	last := r.record.highest()
	// Sessions are alive in the clone: nobody left.
	for _, n := range r.nodes {
		n.line.close()
	}
	if err := r.db.Close(); err != nil {
		t.Fatal(err)
	}
	admin := super(t, s, "postgres")
	within(t, 10*time.Second, "nobody is connected", func() bool {
		return ask[int](t, admin, "SELECT count(*) FROM pg_stat_activity WHERE datname = $1", r.name) == 0
	})
	clone := fresh("clone")
	do(t, admin, "CREATE DATABASE "+clone+" TEMPLATE "+r.name)
	r.moveTo(clone, last)
}

// moveTo begins nodes on another database, and asserts there first what was
// given here.
func (r *restored) moveTo(name string, last leases.Token) {
	r.t.Helper()
	db := super(r.t, r.server, name)
	refusedThere(r.t, db, r.record.held(), last)
	r.leaveAll()
	r.dsn = func(login string) string { return at(name, login, r.server) }
	r.start("app_a", 0)
	r.start("app_d", 0)
	r.goOn(db, last, anotherHistory)
}

// The nodes go on through it.
func schemaMadeAnew(t *testing.T, s *pgserver.Server) {
	r := before(t, s)
	r.start("app_a", 0)
	r.start("app_b", 0)
	r.settle(heldThere, 10*time.Second)
	last := r.record.highest()
	within(t, 20*time.Second, "the schema is dropped", func() bool {
		_, err := r.db.ExecContext(t.Context(), "DROP SCHEMA coterie CASCADE") // nodes that are at work may be in the way
		return err == nil
	})
	initialise(t, r.db, heldThere)
	r.goOn(r.db, last, aTokenUnknown)
}
