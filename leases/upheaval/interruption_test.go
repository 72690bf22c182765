package upheaval_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// TestNodesGoOnAfterAnInterruption has one test for each way in which a server
// goes away and comes back as it was. Nothing that was acknowledged is lost, and
// no new era begins: it is the same database.
func TestNodesGoOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(*testing.T, *pgserver.Server){
		"restarted at once":          func(t *testing.T, s *pgserver.Server) { restart(t, s, pgserver.Immediate, 0) },
		"killed":                     func(t *testing.T, s *pgserver.Server) { restart(t, s, pgserver.Kill, 0) },
		"away longer than a session": func(t *testing.T, s *pgserver.Server) { restart(t, s, pgserver.Immediate, terms.TTL*5/4) },
		"frozen for a moment":        func(t *testing.T, s *pgserver.Server) { freeze(t, s, terms.TTL/3) },
		"frozen almost a session":    func(t *testing.T, s *pgserver.Server) { freeze(t, s, terms.TTL*4/5) },
		"frozen longer":              func(t *testing.T, s *pgserver.Server) { freeze(t, s, terms.TTL*3/2) },
		"statements cancelled":       func(t *testing.T, s *pgserver.Server) { nag(t, s, "pg_cancel_backend") },
		"backends terminated":        func(t *testing.T, s *pgserver.Server) { nag(t, s, "pg_terminate_backend") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server(t, pgserver.Options{})
			interruption(t, s, func(login string) string { return at("app", login, s) }, interrupt)
		})
	}
}

// nag is an administrator who ends what nodes say, again and again.
func nag(t *testing.T, s *pgserver.Server, how string) {
	t.Helper()
	admin := super(t, s, "postgres")
	hit := 0
	for begun := time.Now(); time.Since(begun) < terms.TTL*3/2; time.Sleep(20 * time.Millisecond) {
		hit += ask[int](t, admin, `SELECT count(`+how+`(pid)) FROM pg_stat_activity WHERE usename LIKE 'app%' AND (state <> 'idle' OR random() < 0.05)`)
	}
	if hit < 5 {
		t.Errorf("%d statements were hit: too few to prove anything", hit)
	}
}

// A server that takes no more connections: nodes go on with those that they have.
func TestNodesGoOnWhenTheServerIsFull(t *testing.T) {
	t.Parallel()
	const held, most = 6, 40
	s := server(t, pgserver.Options{MaxConns: most})
	db := prepare(t, s, "app", held)
	do(t, db, "CREATE ROLE crowd LOGIN")
	c := newCluster(t, func(login string) string { return at("app", login, s) })
	for _, name := range []string{"app_a", "app_b", "app_c"} {
		c.start(name, 0)
	}
	within(t, 20*time.Second, "each holds its share", func() bool {
		return holds(c, "app_a") == 2 && holds(c, "app_b") == 2 && holds(c, "app_c") == 2
	})
	before := len(c.record.all())
	crowd, err := schema.Pool(schema.Options{DSN: at("app", "crowd", s), MaxConns: most})
	if err != nil {
		t.Fatal(err)
	}
	var conns []io.Closer
	full := false
	for range most {
		conn, err := crowd.Connx(t.Context())
		if full = errors.Is(err, schema.ErrFull); full {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	if !full {
		t.Fatalf("%d connections, and the server is not full: this proves nothing", len(conns))
	}
	begun := time.Now()
	time.Sleep(2 * terms.TTL)
	for _, n := range c.nodes {
		if _, beats := n.answered(begun.Add(terms.TTL)); !beats {
			t.Errorf("%s has no heartbeat on a full server", n.name)
		}
	}
	for _, conn := range conns {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := crowd.Close(); err != nil {
		t.Error(err)
	}
	if now := len(c.record.all()); now != before {
		t.Errorf("%d holders began although nobody was lost", now-before)
	}
	c.finish(db)
}

func restart(t *testing.T, s *pgserver.Server, how pgserver.Mode, away time.Duration) {
	t.Helper()
	if err := s.Halt(how); err != nil {
		t.Fatal(err)
	}
	time.Sleep(away)
	if err := s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func freeze(t *testing.T, s *pgserver.Server, how time.Duration) {
	t.Helper()
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(how)
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
}

func interruption(t *testing.T, s *pgserver.Server, dsn func(login string) string, interrupt func(*testing.T, *pgserver.Server)) {
	const held = 6
	db := prepare(t, s, "app", held)
	c := newCluster(t, dsn)
	for _, name := range []string{"app_a", "app_b", "app_c"} {
		c.start(name, 0)
	}
	c.settle(held, 10*time.Second)
	for range *rounds {
		acknowledged := len(c.record.effects())
		within(t, 10*time.Second, "effects are made", func() bool { return len(c.record.effects()) > acknowledged+20 })
		time.Sleep(time.Duration(rand.Int64N(int64(terms.Heartbeat)))) // at any moment of a heartbeat
		before := len(c.record.all())
		interrupt(t, s)
		begun := time.Now()
		c.settle(held, 20*time.Second)
		for _, n := range c.nodes {
			within(t, 20*time.Second, n.name+" is back", func() bool { _, back := n.answered(begun); return back })
		}
		within(t, 20*time.Second, "everybody can make effects again", func() bool { return everybodyWorks(c, held, begun) })
		t.Logf("all of it works again %v after it was back; %d holders had ended", time.Since(begun).Round(time.Millisecond), len(c.record.all())-before)
	}
	if lost := c.missing(db); len(lost) > 0 {
		t.Errorf("%d of %d acknowledged effects are lost, the first: %s", len(lost), len(c.record.effects()), lost[0])
	}
	t.Logf("%d effects were acknowledged", len(c.record.effects()))
	if era := ask[int](t, db, "SELECT era FROM coterie.cluster"); era != 0 {
		t.Errorf("era %d: %q", era, list[string](t, db, "SELECT reason FROM coterie.events WHERE kind = 'era.began'"))
	}
	c.finish(db)
}

// everybodyWorks tells whether each lease had an effect since then.
func everybodyWorks(c *cluster, held int, since time.Time) bool {
	return len(c.record.worked(since)) == held
}

// A full disk ends the server, and it cannot come back until there is space.
func TestNodesGoOnAfterAFullDisk(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/tmp", "full-")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=300m,mode=755"); err != nil {
		if rerr := os.Remove(dir); rerr != nil {
			t.Error(rerr)
		}
		t.Skipf("NOT TESTED: this machine lets us mount nothing: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	s := server(t, pgserver.Options{Dir: filepath.Join(dir, "pg"), Settings: map[string]string{"wal_recycle": "off"}})
	admin := super(t, s, "postgres")
	dsn := func(login string) string { return at("app", login, s) }
	interruption(t, s, dsn, func(t *testing.T, s *pgserver.Server) {
		filler := filepath.Join(dir, "filler")
		fill(t, filler)
		within(t, 20*time.Second, "the server has no space for its log", func() bool {
			_, err := admin.Exec("SELECT pg_switch_wal(), pg_logical_emit_message(false, 'fill', repeat('x', 100000))")
			return err != nil
		})
		time.Sleep(terms.TTL)
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(t.Context(), pgserver.Immediate); err != nil {
			t.Fatal(err)
		}
	})
}

// fill writes a file until nothing more fits.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
