package slots

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/coterie-ha/coterie/sql/pgserver"
)

// hurts are what happens to the cluster, each at random moments.
var hurts = []struct {
	what string
	do   func(*lab, context.Context) error
}{
	{"cut a node's session", func(l *lab, ctx context.Context) error { n := l.any(); return cut(ctx, &n.beats) }},
	{"cut a node's runs", func(l *lab, ctx context.Context) error { n := l.any(); return cut(ctx, &n.works) }},
	{"cut a node", func(l *lab, ctx context.Context) error { n := l.any(); return cut(ctx, &n.beats, &n.works) }},
	{"end backends", (*lab).endBackends},
	{"freeze the database", (*lab).freeze},
	{"crash the database", func(l *lab, ctx context.Context) error { return l.server.Restart(ctx, pgserver.Immediate) }},
	{"move leases", (*lab).move},
	{"restart a node", (*lab).restart},
}

func (l *lab) any() *node { return l.nodes[rand.IntN(len(l.nodes))] }

// short is for less than the time to live most often, for more sometimes.
func short() time.Duration { return time.Duration(rand.ExpFloat64() * float64(time.Second)) }

func cut(ctx context.Context, wires ...*wire) error {
	for _, w := range wires {
		w.set(true)
	}
	defer func() {
		for _, w := range wires {
			w.set(false)
		}
	}()
	return rest(ctx, short())
}

func (l *lab) freeze(ctx context.Context) error {
	if err := l.server.Freeze(); err != nil {
		return err
	}
	err := rest(ctx, min(short(), 4*time.Second))
	if thawed := l.server.Thaw(); thawed != nil {
		return thawed
	}
	return err
}

// endBackends ends connections at any moment of what they do, again and again.
func (l *lab) endBackends(ctx context.Context) error {
	for range 20 {
		_, err := l.admin.ExecContext(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY ('{a,b,c}') AND random() < 0.3`)
		if err != nil {
			return fmt.Errorf("end backends: %w", err)
		}
		if err := rest(ctx, rand.N(100*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) move(ctx context.Context) error {
	_, err := l.admin.ExecContext(ctx, `
		SELECT coterie.lease_move(name, (SELECT node FROM coterie.session s WHERE s.node <> held.holder ORDER BY random() LIMIT 1), true, 'test', '')
		FROM (SELECT name, holder FROM coterie.leases WHERE valid AND goal IS NULL ORDER BY random() LIMIT 20) AS held`)
	if err != nil && ctx.Err() == nil {
		return nil // somebody moved one of them meanwhile, or nobody else is there
	}
	return err
}

func (l *lab) restart(ctx context.Context) error {
	i := rand.IntN(len(l.nodes))
	if err := l.nodes[i].end(); err != nil {
		return err
	}
	again, err := l.start(l.nodes[i].name)
	if err != nil {
		return err
	}
	l.nodes[i] = again
	return rest(ctx, 200*time.Millisecond)
}

// hurt does harm until ctx ends, and counts it.
func (l *lab) hurt(ctx context.Context, every time.Duration) (count map[string]int, err error) {
	count = map[string]int{}
	for rest(ctx, time.Duration(rand.ExpFloat64()*float64(every))) == nil {
		h := hurts[rand.IntN(len(hurts))]
		if err := h.do(l, ctx); err != nil && ctx.Err() == nil {
			return count, fmt.Errorf("%s: %w", h.what, err)
		}
		count[h.what]++
	}
	return count, nil
}

// rivalry counts what rivals tried.
type rivalry struct {
	mu          sync.Mutex // guards the fields below
	tried, told int        // told that they may
}

// rivalSQL begins a slot beside its holder; endSQL ends what was begun.
const (
	rivalSQL = `SELECT (coterie.run_begin_all(ARRAY[$1], ARRAY[$2::timestamptz], ARRAY[$3::bigint], ARRAY[$4::bigint], ARRAY[$5::bigint], ARRAY[NULL::timestamptz], ARRAY['']))[1]`
	endSQL   = `SELECT coterie.run_end($1, $2, $3, $4, 'succeeded', NULL, '', '')`
	// A slot of the last three tenths, or the one after the last that has its row: a
	// later one would leave out those between, and whoever has the login may do that.
	baitSQL = `
	SELECT l.name AS lease, l.token - (CASE WHEN random() < 0.2 THEN 1 ELSE 0 END) AS token, j.generation,
	       newest.due_at + floor(random() * 5 - 3) * interval '100ms' AS due
	FROM coterie.lease l JOIN coterie.job j ON 'job/' || j.name = l.name
	CROSS JOIN LATERAL (SELECT r.due_at FROM coterie.run r WHERE r.job = j.name ORDER BY r.due_at DESC LIMIT 1) AS newest
	WHERE l.node = $1 AND l.name >= $2 ORDER BY random() LIMIT 10`
)

// rival acts with the login of a node, beside it.
func (l *lab) rival(ctx context.Context, login string, count *rivalry) error {
	var w wire
	db, err := l.pool(login, &w, 2)
	if err != nil {
		return err
	}
	defer db.Close()
	for rest(ctx, 5*time.Millisecond) == nil {
		var baits []struct {
			Lease      string
			Token      int64
			Generation int64
			Due        time.Time
		}
		if err := l.admin.SelectContext(ctx, &baits, baitSQL, login, "job/"+jobName(l.first)); err != nil {
			continue // the database is away
		}
		for _, b := range baits {
			job, nonce := b.Lease[len("job/"):], rand.Int64()
			var answer string
			err := db.GetContext(ctx, &answer, rivalSQL, job, b.Due, b.Token, nonce, b.Generation)
			count.mu.Lock()
			count.tried++
			if err == nil && answer == "begun" {
				count.told++
			}
			count.mu.Unlock()
			if err != nil || answer != "begun" {
				continue
			}
			if _, err := l.witness.WriteString(line("rival-"+login, job, b.Due, b.Token)); err != nil {
				return err
			}
			for ctx.Err() == nil { // or nobody begins anything of this job
				if _, err := db.ExecContext(ctx, endSQL, job, b.Due, b.Token, nonce); err == nil {
					break
				}
			}
		}
	}
	return nil
}
