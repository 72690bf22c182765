package license

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lib/pq"
)

var (
	logins = flag.Int("logins", 5, "how often a user logs in for the first time, fifty times at once")
	asked  = flag.Int("asked", 1000, "how many checkouts are asked for while a seat is free")
)

func TestFiftyFirstLoginsOfOneUserAreOneSeat(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b", "c", "d", "e")
	l.define(`{"pools": [{"name": "floating", "seats": 10}]}`)
	for try := range *logins {
		fifty := func(what string, do func(n *node, u Use) error) {
			var wait sync.WaitGroup
			for i := range 50 {
				wait.Go(func() {
					u := Use{Pool: "floating", Holder: fmt.Sprintf("user%d", try), Session: fmt.Sprint(i)}
					if err := do(l.nodes[string(rune('a'+i%5))], u); err != nil {
						t.Errorf("%s: %v", what, err)
					}
				})
			}
			wait.Wait()
		}
		fifty("checkout", func(n *node, u Use) error { _, err := n.Checkout(t.Context(), u, 1000); return err })
		if got := get[int](l, `SELECT in_use FROM coterie.license_pools`); got != 1 {
			t.Fatalf("%d seats of one user, the %d. time", got, try+1)
		}
		fifty("checkin", func(n *node, u Use) error { return n.Checkin(t.Context(), u, 1000) })
		if got := get[int](l, `SELECT in_use FROM coterie.license_pools`); got != 0 {
			t.Fatalf("%d seats of nobody, the %d. time", got, try+1)
		}
	}
	t.Logf("one seat in %d of %d tries", *logins, *logins)
	l.check(10)
}

// There are as many seats as clients, and each client wants one at a time: whenever
// one is asked for, one is free all the while.
func TestNobodyIsRefusedWhileASeatIsFree(t *testing.T) {
	const clients = 40
	l := newLab(t, "a", "b", "c", "d", "e")
	l.define(fmt.Sprintf(`{"pools": [{"name": "floating", "seats": %d}]}`, clients))
	var wait sync.WaitGroup
	var denied atomic.Int64
	work := make(chan int)
	for c := range clients {
		n := l.nodes[string(rune('a'+c%5))]
		wait.Go(func() {
			for i := range work {
				u := floating(fmt.Sprintf("user%d-%d", c, i%7))
				switch _, err := n.Checkout(t.Context(), u, 1000); {
				case errors.Is(err, ErrDenied):
					denied.Add(1)
				case err != nil:
					t.Errorf("checkout: %v", err)
				default:
					if err := n.Checkin(t.Context(), u, 1000); err != nil {
						t.Errorf("checkin: %v", err)
					}
				}
			}
		})
	}
	for i := range *asked {
		work <- i
	}
	close(work)
	wait.Wait()
	t.Logf("%d of %d checkouts refused", denied.Load(), *asked)
	if denied.Load() > 0 {
		t.Errorf("%d were refused while a seat was free", denied.Load())
	}
	l.check(clients)
}

func TestManyClientsNeverHaveASeatTooMany(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b", "c")
	l.define(`{"pools": [{"name": "floating", "seats": 20}]}`)
	long := 2 * time.Second
	if testing.Short() {
		long /= 4
	}
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	var wait sync.WaitGroup
	var granted, denied atomic.Int64
	for i := range 48 {
		n := l.nodes[string(rune('a'+i%3))]
		wait.Go(func() {
			for ctx.Err() == nil {
				u := floating(fmt.Sprintf("user%d", rand.IntN(60)))
				u.Session = fmt.Sprint(i)
				_, err := n.Checkout(ctx, u, 1000)
				switch {
				case err == nil:
					granted.Add(1)
					if err := n.Checkin(context.WithoutCancel(ctx), u, 1000); err != nil {
						t.Errorf("checkin: %v", err)
					}
				case errors.Is(err, ErrDenied):
					denied.Add(1)
				case ctx.Err() == nil:
					t.Errorf("checkout: %v", err)
				}
			}
		})
	}
	wait.Wait()
	t.Logf("granted %d, denied %d", granted.Load(), denied.Load())
	l.await(`SELECT count(*) = 0 FROM coterie.license_use`)
	if n := get[int](l, `SELECT count(*) FROM coterie.license_seat WHERE key IS NOT NULL`); n != 0 {
		t.Errorf("%d seats are leaked", n)
	}
	l.check(20)
}

func TestWhoIsAtWorkKeepsTheSeatWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	l.define(`{"pools": [{"name": "floating", "seats": 10, "escrow": 2}]}`)
	a, b := l.nodes["a"], l.nodes["b"]
	l.await(`SELECT escrowed = 4 FROM coterie.license_pools`)
	if _, err := a.Checkout(t.Context(), floating("ana"), 1000); err != nil {
		t.Fatal(err)
	}
	a.cut()
	b.cut()
	var granted atomic.Int64
	var wait sync.WaitGroup
	for i := range 3 {
		for _, n := range []*node{a, b} {
			wait.Go(func() {
				who := fmt.Sprintf("new-%s-%d", n.name, i)
				seat, err := n.Checkout(t.Context(), floating(who), 1000)
				switch {
				case err == nil:
					granted.Add(1)
					if seat.Kind != Escrowed {
						t.Errorf("%s has a seat of kind %s", who, seat.Kind)
					}
				case !errors.Is(err, ErrAway):
					t.Errorf("%s: %v", who, err)
				}
			})
		}
	}
	wait.Wait()
	if granted.Load() != 4 {
		t.Errorf("%d granted without the database, want what was kept for that: 4", granted.Load())
	}
	if seat, err := a.Checkout(t.Context(), floating("ana"), 1000); err != nil || seat.Kind != Normal {
		t.Errorf("who was seated before: %+v, %v", seat, err)
	}
	back := time.Now()
	a.mend()
	b.mend()
	l.await(`SELECT in_use = 5 FROM coterie.license_pools`)
	t.Logf("reconciled %v after the database's return", time.Since(back).Round(time.Millisecond))
	l.await(`SELECT count(*) = 4 FROM coterie.license_events WHERE kind = 'away'`)
	l.await(`SELECT escrowed = 4 FROM coterie.license_pools`)
	l.check(10)
}

func TestAnEndedSessionIsFollowedByItsUses(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	l.define(`{"pools": [{"name": "floating", "seats": 2}]}`)
	a, b := l.nodes["a"], l.nodes["b"]
	for _, who := range []string{"ana", "bob"} {
		if _, err := a.Checkout(t.Context(), floating(who), 1000); err != nil {
			t.Fatal(err)
		}
	}
	l.exec(`SELECT coterie.session_end(node, incarnation, 'crash', 'by hand') FROM coterie.session WHERE node = 'a'`)
	if _, err := b.Checkout(t.Context(), floating("cid"), 1000); err != nil {
		t.Errorf("the seat of a dead session: %v", err)
	}
	// Nobody at work is turned away; who has no seat left is counted apart.
	l.await(`SELECT in_use = 2 AND excess = 1 FROM coterie.license_pools`)
	if err := b.Checkin(t.Context(), floating("cid"), 1000); err != nil {
		t.Error(err)
	}
	if err := a.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	l.await(`SELECT in_use = 2 AND excess = 0 FROM coterie.license_pools`)
	l.check(2)
}

// An agent that is started again cuts nobody who is at work, whoever took the seat
// meanwhile; but who came with another boot of the host, or idles, is not at work.
func TestWhoIsAtWorkIsRememberedOverAStart(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	l.define(`{"pools": [{"name": "floating", "seats": 2, "idle": "10m"}]}`)
	a, b := l.nodes["a"], l.nodes["b"]
	for _, who := range []string{"ana", "bob"} {
		if _, err := a.Checkout(t.Context(), floating(who), 1000); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Checkin(t.Context(), floating("bob"), 1000); err != nil {
		t.Fatal(err)
	}
	a.stop()
	for _, who := range []string{"cid", "dan"} {
		if _, err := b.Checkout(t.Context(), floating(who), 1000); err != nil {
			t.Fatalf("the seats of a node that stopped: %v", err)
		}
	}
	again := func(changes ...func(*Desk)) *node {
		n := l.start("a", a.DB, a.session.DB, changes...)
		l.define(`{"pools": [{"name": "floating"}]}`)
		return n
	}
	for how, change := range map[string]func(*Desk){
		"another boot": func(d *Desk) { d.Boot = "another one" },
		"no memory":    func(d *Desk) { d.Memory = "" },
		"an hour on":   func(d *Desk) { now := d.Now; d.Now = func() time.Duration { return now() + time.Hour } },
	} {
		text, err := os.ReadFile(filepath.Join(l.dir, "a.memory"))
		if err != nil {
			t.Fatal(err)
		}
		n := again(change)
		if _, err := n.Checkout(t.Context(), floating("ana"), 1000); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: ana: %v, want a refusal", how, err)
		}
		n.stop()
		if err := os.WriteFile(filepath.Join(l.dir, "a.memory"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := again()
	if _, err := n.Checkout(t.Context(), floating("ana"), 2000); !errors.Is(err, ErrForeign) {
		t.Errorf("another user's ana: %v", err)
	}
	if seat, err := n.Checkout(t.Context(), floating("ana"), 1000); err != nil {
		t.Errorf("ana, who was at work: %+v, %v", seat, err)
	}
	if _, err := n.Checkout(t.Context(), floating("bob"), 1000); !errors.Is(err, ErrDenied) {
		t.Errorf("bob, who had left: %v", err)
	}
	l.await(`SELECT in_use = 2 AND excess = 1 FROM coterie.license_pools`)
	if err := b.Checkin(t.Context(), floating("cid"), 1000); err != nil {
		t.Error(err)
	}
	if err := n.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	l.await(`SELECT in_use = 2 AND excess = 0 FROM coterie.license_pools`)
	l.check(2)
}

// A promoted standby that lost a batch must not be asked to put it on disk.
func TestABatchThatIsNotKnownIsNotSettled(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	l.define(`{"pools": [{"name": "floating", "seats": 1}]}`)
	if _, err := l.nodes["a"].Checkout(t.Context(), floating("ana"), 0); err != nil {
		t.Fatal(err)
	}
	const lastSQL = `SELECT coterie.license_settle(incarnation, number + $1) FROM coterie.license_desk`
	if _, err := l.db.Exec(lastSQL, 0); err != nil {
		t.Errorf("the last batch: %v", err)
	}
	said, ok := errors.AsType[*pq.Error](func() error { _, err := l.db.Exec(lastSQL, 1); return err }())
	if !ok || said.Code != "CT034" {
		t.Errorf("a batch that is not there: %v", said)
	}
}
