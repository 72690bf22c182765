package license

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// durable is a lab on a server that forces every commit to disk.
func durable(t testing.TB, names ...string) *lab {
	t.Helper()
	server, err := pgserver.Start(t.Context(), pgserver.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	open := func(conns int) *sqlx.DB {
		db, err := schema.Open(t.Context(), schema.Options{DSN: server.DSN("postgres"), MaxConns: conns})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return db
	}
	l := &lab{TB: t, db: open(40), nodes: map[string]*node{}}
	l.db.SetMaxIdleConns(40)
	if _, err := schema.Migrate(t.Context(), l.db); err != nil {
		t.Fatal(err)
	}
	l.exec(`SELECT coterie.cluster_init('lab')`)
	for _, name := range names {
		l.start(name, open(2), open(1))
	}
	return l
}

// A decision is a checkout or a check-in that the database has on disk, or a
// refusal by it. There are 200 seats, and 32 clients want them for 400 users.
func BenchmarkDecisionsOnOneHotPool(b *testing.B) {
	for _, nodes := range []int{1, 2, 5} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			names := []string{"a", "b", "c", "d", "e"}[:nodes]
			l := durable(b, names...)
			l.define(`{"pools": [{"name": "floating", "seats": 200}]}`)
			for _, scarce := range []bool{true, false} {
				name := "plenty"
				if scarce {
					name = "scarce"
				}
				b.Run(name, func(b *testing.B) { hammer(b, l, names, scarce) })
			}
		})
	}
}

func hammer(b *testing.B, l *lab, names []string, scarce bool) {
	const clients = 32
	var mu sync.Mutex // guards took
	var took []time.Duration
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var wait sync.WaitGroup
	tickets := make(chan struct{}, clients)
	b.ResetTimer()
	for c := range clients {
		n := l.nodes[names[c%len(names)]]
		wait.Go(func() {
			var mine []time.Duration
			timed := func(f func() error) error {
				began := time.Now()
				err := f()
				mine = append(mine, time.Since(began))
				return err
			}
			var held []Use
			for range tickets {
				// Scarce: each client holds up to ten, so that 320 are wanted.
				if most := map[bool]int{true: 10, false: 1}[scarce]; len(held) >= most || scarce && len(held) > 0 && rand.IntN(3) == 0 {
					u := held[0]
					held = held[1:]
					if err := timed(func() error { return n.Checkin(ctx, u, 0) }); err != nil {
						b.Errorf("checkin: %v", err)
					}
					continue
				}
				u := Use{Pool: "floating", Holder: fmt.Sprintf("user%d", rand.IntN(4000)), Session: fmt.Sprint(c)}
				if slices.Contains(held, u) {
					continue
				}
				err := timed(func() error { _, err := n.Checkout(ctx, u, 0); return err })
				switch {
				case err == nil:
					held = append(held, u)
				case !errors.Is(err, ErrDenied):
					b.Errorf("checkout: %v", err)
				}
			}
			for _, u := range held {
				if err := n.Checkin(ctx, u, 0); err != nil {
					b.Error(err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	for range b.N {
		tickets <- struct{}{}
	}
	close(tickets)
	wait.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "decisions/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	l.check(200)
}

// Who is seated is answered from memory: no statement.
func BenchmarkRenewalFromMemory(b *testing.B) {
	l := newLab(b, "a")
	l.define(`{"pools": [{"name": "floating", "seats": 1000}]}`)
	n := l.nodes["a"]
	uses := make([]Use, 1000)
	for i := range uses {
		uses[i] = floating(fmt.Sprintf("user%d", i))
		if _, err := n.Checkout(b.Context(), uses[i], 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := n.Checkout(b.Context(), uses[i%len(uses)], 0); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "renewals/s")
}
