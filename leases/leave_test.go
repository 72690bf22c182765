package leases_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// A session that leaves listens to nobody any more, and its farewell may take as
// long as the database likes. Whoever tells it something meanwhile goes on.
func TestWhoTellsALeavingSessionDoesNotWaitForIt(t *testing.T) {
	db := sqltest.New(t)
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, db: db.Bubble(t), began: time.Now(), nodes: map[string]*node{}}
		w.exec(`SELECT coterie.cluster_init('test')`)
		w.start("a", false)
		time.Sleep(time.Second)
		n := w.nodes["a"]
		n.line.Stall()
		n.stop()
		synctest.Wait()
		begun := time.Now()
		for range 200 {
			n.Change([]string{"work"}, nil)
			n.Learn(1)
			n.Wake()
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("telling it took %v", took)
		}
		n.line.Mend()
		w.end()
	})
}

// Nothing ends a context that cannot end.
func TestASessionUnderAContextWithoutEndGoesOn(t *testing.T) {
	db := sqltest.New(t)
	synctest.Test(t, func(t *testing.T) {
		pool := db.Bubble(t)
		if _, err := pool.Exec(`SELECT coterie.cluster_init('test')`); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		s := &leases.Session{DB: pool.DB, Node: "a", Hold: func(ctx context.Context, _ leases.Grant) { <-ctx.Done() }}
		go func() { ended <- s.Run(context.Background()) }()
		time.Sleep(10 * time.Second)
		select {
		case err := <-ended:
			t.Fatalf("it ended by itself: %v", err)
		default:
		}
		// The database ends it.
		if _, err := pool.Exec(`DELETE FROM coterie.session`); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, leases.ErrLost) {
			t.Errorf("it ended with %v, want %v", err, leases.ErrLost)
		}
	})
}
