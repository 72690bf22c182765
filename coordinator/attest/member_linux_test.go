package attest_test

import (
	"os"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/attest"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// node is a member, and the folder that it has before it.
type node struct {
	t      *testing.T
	db     *sqlx.DB
	member *attest.Member
	share  appdata.Share
	life   int64
	ready  bool
}

func share(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := appdata.CreateMarker(dir, appdata.Marker{Cluster: "c", ID: "id", Generation: 1}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func database(t *testing.T) *sqlx.DB {
	t.Helper()
	db := sqltest.New(t).DB
	db.MustExec(`SELECT coterie.cluster_init('c')`)
	return db
}

func join(t *testing.T, db *sqlx.DB, name, dir string) *node {
	t.Helper()
	n := &node{t: t, db: db, share: appdata.Share{Path: dir, Cluster: "c", ID: "id", Node: name}, member: &attest.Member{DB: db, Node: name, Every: 5 * time.Second}}
	db.MustExec(`SELECT coterie.node_join('c', $1, $1, '', '', '', '', '{}', true, 1, '{}')`, name)
	n.live(1)
	return n
}

// live begins a life of the node.
func (n *node) live(incarnation int64) {
	n.life = incarnation
	n.db.MustExec(`DELETE FROM coterie.session WHERE node = $1`, n.share.Node)
	n.db.MustExec(`INSERT INTO coterie.session (node, incarnation, ttl, expires_at) VALUES ($1, $2, '6s', coterie.clock() + interval '1 hour')`, n.share.Node, incarnation)
}

// look is one turn of the node: it asks, looks, and reports.
func (n *node) look() (appdata.Condition, attest.Verdict) {
	n.t.Helper()
	n.db.MustExec(`UPDATE coterie.session SET renewed_at = coterie.clock()`)
	if _, err := n.member.Learn(n.t.Context(), n.life, n.ready); err != nil { // as who sees that the ledger moved
		n.t.Fatal(err)
	}
	begun := time.Now()
	c, err := n.member.Ask(n.share).Probe(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	v, err := n.member.Saw(n.t.Context(), n.life, n.ready, begun, &c)
	if err != nil {
		n.t.Fatal(err)
	}
	n.db.MustExec(`SELECT coterie.storage_report($1, $2, $3::coterie.storage_state, $4, $5, $6, $7, '', '', '', 1, 1, $8)`,
		n.share.Node, n.life, string(c.State), c.Reason, c.MarkerOK, c.Readable, c.Writable, c.Generation)
	n.ready = n.ready || v.Proved && c.Usable()
	if n.ready {
		n.db.MustExec(`UPDATE coterie.node SET state = 'ready' WHERE name = $1`, n.share.Node)
	}
	return c, v
}

func get[T any](t *testing.T, db *sqlx.DB, query string, args ...any) (v T) {
	t.Helper()
	if err := db.Get(&v, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

const owns = `SELECT string_agg(concat_ws(' ', node, owns_pct), ', ' ORDER BY node) FROM coterie.storages`

func TestTwoNodesProveTheirShareThroughTheDatabase(t *testing.T) {
	db, dir := database(t), share(t)
	a := join(t, db, "app-a", dir)
	c := appdata.Condition{State: appdata.OK, Readable: true, Writable: true}
	if v, err := a.member.Saw(t.Context(), 0, false, time.Now(), &c); v.Proved || err != nil {
		t.Errorf("without a session: %+v, %v", v, err)
	}
	a.look()
	if !a.ready {
		t.Fatal("the only node is not ready")
	}
	b := join(t, db, "app-b", dir)
	for range 3 {
		b.look()
	}
	if b.ready {
		t.Error("b is ready, and a has not seen it")
	}
	for range 2 {
		a.look()
		b.look()
	}
	if !b.ready {
		t.Error("b is not ready")
	}
	if got := get[string](t, db, owns); got != "app-a 100, app-b 100" {
		t.Errorf("got %s", got)
	}

	// A healthy hour tells the database nothing.
	before := get[string](t, db, `SELECT string_agg(x.xmin::text, ' ') FROM (SELECT xmin FROM coterie.sight UNION ALL SELECT xmin FROM coterie.challenge) x`)
	for range 5 {
		a.look()
		b.look()
	}
	if after := get[string](t, db, `SELECT string_agg(x.xmin::text, ' ') FROM (SELECT xmin FROM coterie.sight UNION ALL SELECT xmin FROM coterie.challenge) x`); after != before {
		t.Error("what is no news was written")
	}

	// A new life of a node proves itself anew; what its last life saw counts for nothing.
	a.live(2)
	if n := get[int](t, db, `SELECT count(*) FROM coterie.sights`); n != 0 {
		t.Errorf("%d sights of a life that is over", n)
	}
	for range 3 {
		a.look()
		b.look()
	}
	if got := get[string](t, db, owns); got != "app-a 100, app-b 100" {
		t.Errorf("in its second life: %s", got)
	}

	// A database that was restored has forgotten what was told.
	db.MustExec(`DELETE FROM coterie.sight`)
	db.MustExec(`DELETE FROM coterie.challenge`)
	for range 3 {
		a.look()
		b.look()
	}
	if got := get[string](t, db, owns); got != "app-a 100, app-b 100" {
		t.Errorf("after a restore: %s", got)
	}
}

func TestAStrangerSpeaksForNoNode(t *testing.T) {
	db, dir := database(t), share(t)
	a := join(t, db, "app-a", dir)
	a.look()
	for _, said := range []string{
		`SELECT coterie.storage_challenge('app-a', 7, 'AAAAAAAAAAAAAAAAAAAAAAAAAA', 5000)`,
		`SELECT coterie.storage_sights('app-a', 7, '{app-a}', '{1}', '{t}', '{""}')`,
		`SELECT coterie.storage_challenge('app-x', 1, 'AAAAAAAAAAAAAAAAAAAAAAAAAA', 5000)`,
	} {
		if get[bool](t, db, said) {
			t.Errorf("taken: %s", said)
		}
	}
}

// An older copy of the share has an older marker, once a migration or a restore
// has made it so.
func TestAnOlderGenerationIsNamed(t *testing.T) {
	db, dir, old := database(t), share(t), share(t)
	if err := appdata.AdvanceMarker(dir, appdata.Marker{Cluster: "c", ID: "id", Generation: 2}); err != nil {
		t.Fatal(err)
	}
	a := join(t, db, "app-a", dir)
	a.look()
	a.look()
	if g := get[int](t, db, `SELECT share_generation FROM coterie.cluster`); g != 2 {
		t.Errorf("the database knows generation %d", g)
	}
	b := join(t, db, "app-b", old)
	b.look()
	if c, v := b.look(); c.State != appdata.OldGeneration || v.Proved {
		t.Errorf("got %+v, %+v", c, v)
	}
	if left, err := os.ReadDir(old + "/.coterie/tokens"); err == nil && len(left) > 0 {
		t.Error("it was written to")
	}
}

// Who tells its nonce before it has looked for the others' words takes what they
// write in answer for what was there before, and waits for their next turns.
func TestANonceIsToldOnceTheOthersWereLookedFor(t *testing.T) {
	db, dir := database(t), share(t)
	n := join(t, db, "a", dir)
	told := func() (n int) {
		if err := db.Get(&n, `SELECT count(*) FROM coterie.challenge`); err != nil {
			t.Fatal(err)
		}
		return n
	}
	begun := time.Now()
	c, err := n.member.Ask(n.share).Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.member.Learn(t.Context(), n.life, false); err != nil { // while the look is under way
		t.Fatal(err)
	}
	if _, err := n.member.Saw(t.Context(), n.life, false, begun, &c); err != nil {
		t.Fatal(err)
	}
	if told() != 0 {
		t.Error("told before the others were looked for")
	}
	n.look()
	if told() != 1 {
		t.Error("not told after they were")
	}
}

// A look that was killed in a share that hung writes its word when the share answers
// again, after a later look has written its own. The share is no other one for that.
func TestAWordThatArrivesLateIsNoOtherShare(t *testing.T) {
	db, dir := database(t), share(t)
	a := join(t, db, "app-a", dir)
	a.look()
	a.look()
	stuck := 1
	a.member.Stuck = func() int { return stuck }
	late := a.member.Ask(a.share)
	hung := appdata.Condition{State: appdata.Hung, Reason: "does not answer"}
	if _, err := a.member.Saw(t.Context(), a.life, a.ready, time.Now(), &hung); err != nil {
		t.Fatal(err)
	}
	a.look()
	late.Said = 0
	if c, err := late.Probe(t.Context()); err != nil || !c.Words.Kept {
		t.Fatalf("%+v, %v", c, err)
	}
	stuck = 0
	if err := a.member.Claim(a.share).Present(); err != nil {
		t.Errorf("to a scan the share is another: %v", err)
	}
	if c, _ := a.look(); c.State != appdata.OK || !c.Words.Kept {
		t.Errorf("the share is %s: %s", c.State, c.Reason)
	}
	// What was written before any of these is an older copy, as ever.
	if err := os.WriteFile(dir+"/.coterie/nodes/app-a.challenge", []byte(appdata.Word{Nonce: late.Word.Nonce, Round: late.Word.Round - 1}.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, _ := a.look(); c.State != appdata.WrongShare {
		t.Errorf("an older copy is %s", c.State)
	}
}

// A client that remembers too long does not see what a later node writes, which the
// others then take for one on another share; when it sees it again, all is as before.
func TestWhoIsNotSeenForAWhileIsWellWhenItIsSeenAgain(t *testing.T) {
	db, dir := database(t), share(t)
	a := join(t, db, "app-a", dir)
	a.look()
	b := join(t, db, "app-b", dir)
	a.member.Every, b.member.Every = 50*time.Millisecond, 50*time.Millisecond
	for range 3 {
		a.look()
		b.look()
	}
	if !a.ready || !b.ready {
		t.Fatal("not ready")
	}

	// From now on the client of a shows an old word of b.
	memory := t.TempDir()
	if err := os.CopyFS(memory, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	written := func(of *node, from, to string) {
		t.Helper()
		name := "/.coterie/nodes/" + of.share.Node + ".challenge"
		text, err := os.ReadFile(from + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a.share.Path = memory
	state := appdata.OK
	for begun := time.Now(); state == appdata.OK && time.Since(begun) < 20*time.Second; time.Sleep(100 * time.Millisecond) {
		a.look()
		written(a, memory, dir)
		c, _ := b.look()
		state = c.State
	}
	if state != appdata.WrongShare {
		t.Fatalf("b is %s", state)
	}
	for range 3 { // the others hear what became of it
		a.look()
		written(a, memory, dir)
		b.look()
	}

	a.share.Path = dir
	for begun := time.Now(); state != appdata.OK && time.Since(begun) < 10*time.Second; time.Sleep(100 * time.Millisecond) {
		if c, _ := a.look(); c.State != appdata.OK {
			t.Fatalf("a is %s: %s", c.State, c.Reason)
		}
		c, _ := b.look()
		state = c.State
	}
	if state != appdata.OK {
		t.Errorf("b is %s still, though a sees what it writes", state)
	}
}

// How late a change was seen is told by the share's clock as it was when it was looked at last.
func TestAClaimKnowsHowTheClocksStand(t *testing.T) {
	a := join(t, database(t), "app-a", share(t))
	for _, ahead := range []time.Duration{7 * time.Hour, -7 * time.Hour} {
		c, err := a.member.Ask(a.share).Probe(t.Context())
		if err != nil || c.Ahead.Abs() > time.Minute {
			t.Fatalf("ahead by %v, %v", c.Ahead, err)
		}
		c.Ahead = ahead
		if _, err := a.member.Saw(t.Context(), a.life, a.ready, time.Now(), &c); err != nil {
			t.Fatal(err)
		}
		if got := a.member.Claim(a.share).Ahead; got != ahead {
			t.Errorf("known is %v, want %v", got, ahead)
		}
	}
}
