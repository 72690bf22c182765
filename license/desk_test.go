package license

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lib/pq"
)

func TestFiftyFirstLoginsOfOneUserAreOneSeat(t *testing.T) {
	l := newLab(t, "a", "b", "c", "d", "e")
	l.define(`{"pools": [{"name": "floating", "seats": 10}]}`)
	tries := 10
	for try := range tries {
		var wait sync.WaitGroup
		for i := range 50 {
			n := l.nodes[string(rune('a'+i%5))]
			wait.Go(func() {
				if _, err := n.Checkout(t.Context(), Use{Pool: "floating", Holder: fmt.Sprintf("user%d", try), Session: fmt.Sprint(i)}, 1000); err != nil {
					t.Errorf("checkout: %v", err)
				}
			})
		}
		wait.Wait()
		if got := get[int](l, `SELECT in_use FROM coterie.license_pools`); got != try+1 {
			t.Fatalf("%d seats after %d users", got, try+1)
		}
	}
	l.check(10)
}

func TestManyClientsNeverHaveASeatTooMany(t *testing.T) {
	l := newLab(t, "a", "b", "c")
	l.define(`{"pools": [{"name": "floating", "seats": 20}]}`)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
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
	l := newLab(t, "a", "b")
	l.define(`{"pools": [{"name": "floating", "seats": 10, "escrow": 2}]}`)
	a, b := l.nodes["a"], l.nodes["b"]
	l.await(`SELECT escrowed = 4 FROM coterie.license_pools`)
	if _, err := a.Checkout(t.Context(), floating("ana"), 1000); err != nil {
		t.Fatal(err)
	}
	a.cut()
	b.cut()
	var granted []string
	for i := range 3 {
		for _, n := range []*node{a, b} {
			who := fmt.Sprintf("new-%s-%d", n.name, i)
			seat, err := n.Checkout(t.Context(), floating(who), 1000)
			switch {
			case err == nil:
				granted = append(granted, who)
				if seat.Kind != Escrowed {
					t.Errorf("%s has a seat of kind %s", who, seat.Kind)
				}
			case !errors.Is(err, ErrAway):
				t.Errorf("%s: %v", who, err)
			}
		}
	}
	if len(granted) != 4 {
		t.Errorf("granted without the database: %v, want what was kept for that: 4", granted)
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

// A promoted standby that lost a batch must not be asked to put it on disk.
func TestABatchThatIsNotKnownIsNotSettled(t *testing.T) {
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
