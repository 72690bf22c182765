package jobs

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// team is some nodes that hold the leases of many jobs.
type team struct {
	*lab
	runners []*Runner
	clock   leases.Clock
	wait    sync.WaitGroup
	stop    context.CancelCauseFunc
}

// newTeam makes runners, and jobs that are shared out between them.
func newTeam(t testing.TB, nodes, count int, job Definition, action Action) *team {
	t.Helper()
	var names []string
	for i := range nodes {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	c := &team{lab: newLab(t, names...)}
	var wanted []Definition
	for i := range count {
		job.Name, job.Action = fmt.Sprintf("job-%05d", i), "ok"
		wanted = append(wanted, job)
	}
	for chunk := range slices.Chunk(Diff(nil, wanted), 1000) {
		if _, err := Apply(t.Context(), c.db.Operator().DB, chunk, ""); err != nil {
			t.Fatal(err)
		}
	}
	c.exec(`ANALYZE`)
	for range 5 {
		sent := time.Now()
		now := get[time.Time](c.lab, c.db.Pool, `SELECT coterie.clock()`)
		c.clock.Observe(sent, time.Now(), now)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	c.stop = stop
	for i, name := range names {
		p := c.nodes[name]
		p.SetMaxOpenConns(8)
		p.SetMaxIdleConns(8)
		r := &Runner{DB: p.DB, Now: c.clock.Now, Node: name, Actions: map[string]Action{"ok": action}}
		c.runners = append(c.runners, r)
		if err := r.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		c.exec(`UPDATE coterie.lease l SET node = s.node, incarnation = s.incarnation, token = coterie.next_token(), acquired_at = coterie.clock()
			FROM coterie.session s WHERE s.node = $1 AND right(l.name, 5)::int % $2 = $3`, name, nodes, i)
		var held []struct {
			Name  string
			Token int64
		}
		if err := c.db.Select(&held, `SELECT name, token FROM coterie.lease WHERE node = $1`, name); err != nil {
			t.Fatal(err)
		}
		for _, h := range held {
			c.wait.Go(func() { r.Hold(ctx, leases.Grant{Lease: h.Name, Token: leases.Token(h.Token)}) })
		}
	}
	t.Cleanup(c.end)
	return c
}

func (c *team) end() {
	c.stop(leases.ErrMoved)
	c.wait.Wait()
}

// delays are what lay between due and start.
type delays struct {
	mu   sync.Mutex // guards all
	all  []time.Duration
	team *team
}

func (d *delays) Do(_ context.Context, r Run) (*Exit, error) {
	late := d.team.clock.Now().Sub(r.Due)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, late)
	return nil, nil
}

func (d *delays) report(b *testing.B, written float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.all)
	if n := len(d.all); n > 0 {
		b.ReportMetric(d.all[n/2].Seconds()*1000, "p50-ms")
		b.ReportMetric(d.all[n*99/100].Seconds()*1000, "p99-ms")
		b.ReportMetric(d.all[n-1].Seconds()*1000, "max-ms")
		b.ReportMetric(float64(n), "slots")
		b.ReportMetric(written/float64(n), "WAL-B/slot")
	}
}

// BenchmarkDueToStart measures how late actions start on four nodes, and what is
// written to the log for each slot: many that fall due at one instant, each second,
// and five thousand a second.
func BenchmarkDueToStart(b *testing.B) {
	const second, tenth = "@every 1s", "@every 100ms"
	for name, load := range map[string]struct {
		jobs int
		job  Definition
	}{
		"100-in-one-instant-each-second":  {100, Definition{Schedule: second}},
		"1000-in-one-instant-each-second": {1000, Definition{Schedule: second}},
		"5000-a-second":                   {5000, Definition{Schedule: second, Jitter: 999 * time.Millisecond}},
		"500-in-one-instant-each-tenth":   {500, Definition{Schedule: tenth}},
	} {
		b.Run(name, func(b *testing.B) {
			d := &delays{}
			d.team = &team{}
			c := newTeam(b, 4, load.jobs, load.job, d)
			d.mu.Lock()
			d.team = c
			d.mu.Unlock()
			wait(b, 8*time.Second) // all begin at once, and what was due before they did is made good
			d.mu.Lock()
			d.all = nil
			d.mu.Unlock()
			before := get[string](c.lab, c.db.Pool, `SELECT pg_current_wal_insert_lsn()::text`)
			for b.Loop() {
				wait(b, 10*time.Second)
			}
			written := get[float64](c.lab, c.db.Pool, `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::pg_lsn)`, before)
			d.report(b, written)
		})
	}
}

func wait(b *testing.B, d time.Duration) {
	b.Helper()
	if err := pause(b.Context(), d); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSlots measures a slot from begin to end in the database: how many a
// second, and how much is written to the log for each.
func BenchmarkSlots(b *testing.B) {
	for _, clients := range []int{1, 8, 100} {
		b.Run(fmt.Sprintf("%d-clients", clients), func(b *testing.B) {
			l := newLab(b, "a")
			l.nodes["a"].SetMaxIdleConns(clients)
			var wanted []Definition
			for i := range clients {
				wanted = append(wanted, Definition{Name: fmt.Sprintf("audit-purge-%d", i), Schedule: "@every 1s", Action: "ok"})
			}
			l.apply(wanted...)
			held := map[string]leases.Token{}
			generation := l.current()[0].Generation
			for _, d := range wanted {
				held[d.Name] = l.hand(d.Name, "a")
			}
			r := &Runner{DB: l.nodes["a"].DB}
			r.prepare()
			l.exec(`CHECKPOINT`)
			before := get[string](l, l.db.Pool, `SELECT pg_current_wal_insert_lsn()::text`)
			b.ResetTimer()
			var wg sync.WaitGroup
			for job, token := range held {
				wg.Go(func() {
					for i := range (b.N + clients - 1) / clients {
						o := opened{job: job, due: time.Now(), token: token, nonce: int64(i)}
						if a, err := r.callBegin(b.Context(), beginning{opened: o, generation: generation}); err != nil || a != AnswerBegun {
							b.Errorf("begin: %v, %v", a, err)
							return
						}
						if _, err := r.callEnd(b.Context(), ending{opened: o, outcome: Succeeded}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "slots/s")
			written := get[float64](l, l.db.Pool, `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::pg_lsn)`, before)
			b.ReportMetric(written/float64(b.N), "WAL-B/slot")
		})
	}
}

// BenchmarkHeldJobs measures what a job costs that is held and waits.
func BenchmarkHeldJobs(b *testing.B) {
	const jobs = 10000
	var before, after runtime.MemStats
	c := newTeam(b, 1, 0, Definition{Schedule: "@every 24h"}, Func(func(context.Context, Run) error { return nil }))
	c.end()
	runtime.GC()
	runtime.ReadMemStats(&before)
	begun := time.Now()
	c = newTeam(b, 1, jobs, Definition{Schedule: "@every 24h"}, Func(func(context.Context, Run) error { return nil }))
	for {
		m := &c.runners[0].minder
		m.mu.Lock()
		n, entering := len(m.kept), m.entering
		m.mu.Unlock()
		if n == jobs && entering == 0 {
			break
		}
		wait(b, 10*time.Millisecond)
	}
	for c.runners[0].DB.Stats().InUse > 0 {
		wait(b, 10*time.Millisecond)
	}
	b.ReportMetric(time.Since(begun).Seconds()*1000, "ms-to-take-up-all")
	for range 6 { // stacks shrink by halves
		runtime.GC()
	}
	runtime.ReadMemStats(&after)
	for b.Loop() {
	}
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/jobs, "B/job")
	b.ReportMetric(float64(after.StackInuse-before.StackInuse)/jobs, "stack-B/job")
}
