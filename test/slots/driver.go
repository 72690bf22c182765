package slots

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/leases"
)

// driveAction is the action of jobs that drivers run: as fast as the database begins
// and ends their slots, which have all been due long ago.
const driveAction = "drive"

// driver is a node without a runner: it begins, witnesses and ends the slots of many
// leases at once, by the statements that runners use.
type driver struct {
	*node
	witness witness
	owed    map[string]owed

	mu   sync.Mutex // guards held
	held map[string]*lease
}

// lease is one that a driver holds.
type lease struct {
	job        string
	token      leases.Token
	generation int64
	next       time.Time // slot; zero until it is known
	back       func()
	busy, gone bool
}

// owed is from when on slots of a job are owed, under which definition.
type owed struct {
	Name       string
	Generation int64
	First      time.Time `db:"first_due_at"`
}

// Begin, Yield, End and Over make it a leases.Keeper.
func (d *driver) Begin(g leases.Grant, back func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[g.Lease] = &lease{job: strings.TrimPrefix(g.Lease, "job/"), token: g.Token, back: back}
	return true
}

func (d *driver) Yield(name string, token leases.Token) { d.End(name, token, leases.ErrMoved) }

func (d *driver) End(name string, token leases.Token, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.held[name]; l != nil && l.token == token {
		d.leave(name, l)
	}
}

func (d *driver) Over(cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, l := range maps.Clone(d.held) {
		d.leave(name, l)
	}
}

// leave gives a lease back as soon as nothing is done under it. mu is held.
func (d *driver) leave(name string, l *lease) {
	l.gone = true
	if !l.busy {
		delete(d.held, name)
		l.back()
	}
}

// take marks some leases as busy, in the order of their jobs.
func (d *driver) take(most int) (some []*lease) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.held { // in no order: each has its turn
		if !l.busy && !l.gone && len(some) < most {
			l.busy = true
			some = append(some, l)
		}
	}
	slices.SortFunc(some, func(a, b *lease) int { return cmp.Compare(a.job, b.job) })
	return some
}

func (d *driver) release(some []*lease) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range some {
		l.busy = false
		if l.gone {
			d.leave("job/"+l.job, l)
		}
	}
}

// drive works until ctx ends. Errors are what faults are for.
func (d *driver) drive(ctx context.Context) {
	for ctx.Err() == nil {
		some := d.take(100)
		if len(some) == 0 || d.turn(ctx, some) != nil {
			_ = rest(ctx, 20*time.Millisecond) // ctx is looked at above
		}
		d.release(some)
	}
}

// batch is what one statement begins and ends.
type batch struct {
	jobs                       pq.StringArray
	dues                       pq.StringArray
	tokens, nonces, generation pq.Int64Array
}

func (b *batch) add(l *lease, nonce int64) {
	b.jobs, b.dues = append(b.jobs, l.job), append(b.dues, l.next.UTC().Format(time.RFC3339Nano))
	b.tokens, b.nonces, b.generation = append(b.tokens, int64(l.token)), append(b.nonces, nonce), append(b.generation, l.generation)
}

// turn runs one slot of each of some leases.
func (d *driver) turn(ctx context.Context, some []*lease) error {
	var asked batch
	var ready []*lease
	for _, l := range some {
		if l.next.IsZero() && d.resume(ctx, l) != nil {
			continue
		}
		asked.add(l, rand.Int64())
		ready = append(ready, l)
	}
	answers, err := d.begin(ctx, asked)
	if err != nil {
		for _, l := range ready {
			l.next = time.Time{} // nobody knows: look again
		}
		return err
	}
	var begun batch
	var text strings.Builder
	for i, l := range ready {
		switch answers[i] {
		case "begun":
			begun.add(l, asked.nonces[i])
			text.WriteString(line("driver-"+d.name, l.job, l.next, int64(l.token)))
			l.next = l.next.Add(grid)
		case "accounted":
			l.next = time.Time{}
		}
	}
	if len(begun.jobs) == 0 {
		return errors.New("nothing to do")
	}
	if _, err := d.witness.WriteString(text.String()); err != nil {
		return err
	}
	return d.finish(ctx, begun)
}

// resume finds out where the holder before stopped.
func (d *driver) resume(ctx context.Context, l *lease) error {
	var accounted sql.NullTime
	err := d.with(ctx, func(c *sqlx.Conn) error {
		return c.GetContext(ctx, &accounted, `SELECT accounted_at FROM coterie.run_resume($1, $2)`, l.job, int64(l.token))
	})
	if err != nil {
		return err
	}
	owed := d.owed[l.job]
	l.generation, l.next = owed.Generation, owed.First
	if accounted.Valid && !accounted.Time.Before(owed.First) {
		l.next = accounted.Time.Add(grid)
	}
	return nil
}

// begin says the same again when its answer was lost, as runners do.
func (d *driver) begin(ctx context.Context, b batch) (said pq.StringArray, err error) {
	for range 3 {
		err = d.with(ctx, func(c *sqlx.Conn) error {
			return c.QueryRowContext(ctx, `SELECT coterie.run_begin_all($1::text[], $2::timestamptz[], $3, $4, $5, array_fill(NULL::timestamptz, ARRAY[cardinality($1::text[])]), array_fill(''::text, ARRAY[cardinality($1::text[])]))`,
				b.jobs, b.dues, b.tokens, b.nonces, b.generation).Scan(&said)
		})
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return said, err
}

func (d *driver) finish(ctx context.Context, b batch) (err error) {
	for range 5 {
		err = d.with(ctx, func(c *sqlx.Conn) error {
			_, err := c.ExecContext(ctx, `SELECT coterie.run_end_all($1::text[], $2::timestamptz[], $3, $4, array_fill('succeeded'::coterie.run_outcome, ARRAY[cardinality($1::text[])]),
				array_fill(NULL::int, ARRAY[cardinality($1::text[])]), array_fill(''::text, ARRAY[cardinality($1::text[])]), array_fill(''::text, ARRAY[cardinality($1::text[])]))`,
				b.jobs, b.dues, b.tokens, b.nonces)
			return err
		})
		if err == nil || rest(ctx, 50*time.Millisecond) != nil {
			break
		}
	}
	return err
}

func (d *driver) with(ctx context.Context, do func(*sqlx.Conn) error) error {
	c, err := d.work.Connx(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}
