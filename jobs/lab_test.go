package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// lab is a database with a cluster of nodes, each with a login of its own.
type lab struct {
	testing.TB
	db    *sqltest.DB
	nodes map[string]*sqltest.Pool
	batch bool // begin and end by the functions for many
}

// bothWays runs a test with the SQL functions for one run and with those for many,
// which must not differ.
func bothWays(t *testing.T, test func(t *testing.T, l *lab)) {
	for name, batch := range map[string]bool{"one": false, "many": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, "a", "b")
			l.batch = batch
			test(t, l)
		})
	}
}

func newLab(t testing.TB, nodes ...string) *lab {
	t.Helper()
	l := &lab{TB: t, db: sqltest.New(t), nodes: map[string]*sqltest.Pool{}}
	l.exec(`SELECT coterie.cluster_init('lab')`)
	l.exec(`UPDATE coterie.setting SET session_ttl = '10min', heartbeat = '1s', margin = '1s'`)
	for i, node := range nodes {
		l.nodes[node] = l.db.Login("node_"+node, schema.Agent)
		l.exec(`INSERT INTO coterie.session (node, incarnation, takes, ttl, expires_at, login)
			VALUES ($1, $2, '{action/ok}', '10min', coterie.clock() + interval '10min', $3)`, node, i+1, "node_"+node)
	}
	return l
}

func (l *lab) exec(query string, args ...any) {
	l.Helper()
	if _, err := l.db.Exec(query, args...); err != nil {
		l.Fatalf("%s: %v", query, err)
	}
}

// get asks a pool for one value.
func get[T any](l *lab, p *sqltest.Pool, query string, args ...any) (v T) {
	l.Helper()
	if err := p.Get(&v, query, args...); err != nil {
		l.Fatalf("%s: %v", query, err)
	}
	return v
}

// define makes a job by the operator's means.
func (l *lab) define(d Definition) Definition {
	l.Helper()
	if d.Action == "" {
		d.Action = "ok"
	}
	if d.Schedule == "" {
		d.Schedule = "@every 1s"
	}
	l.apply(d)
	for _, is := range l.current() {
		if is.Name == d.Name {
			return is
		}
	}
	l.Fatalf("job %s is not there", d.Name)
	return d
}

func (l *lab) apply(wanted ...Definition) {
	l.Helper()
	if _, err := Apply(l.Context(), l.db.Operator().DB, Diff(l.current(), wanted), "test"); err != nil {
		l.Fatal(err)
	}
}

// applyWishes says to the database what no Changes would.
func (l *lab) applyWishes(doc wishes) error {
	text, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	_, err = l.db.Operator().ExecContext(l.Context(), `SELECT coterie.job_apply($1::jsonb)`, string(text))
	return err
}

func (l *lab) current() []Definition {
	l.Helper()
	list, err := Current(l.Context(), l.db.DB)
	if err != nil {
		l.Fatal(err)
	}
	return list
}

// hand gives the lease of a job to a node, as a heartbeat would.
func (l *lab) hand(job, node string) leases.Token {
	l.Helper()
	return leases.Token(get[int64](l, l.db.Pool, `
		UPDATE coterie.lease l SET node = s.node, incarnation = s.incarnation, token = coterie.next_token(), acquired_at = coterie.clock(),
			from_node = l.node, freed_at = coterie.clock(), freed_by = CASE WHEN l.node IS NOT NULL THEN 'crash' END
		FROM coterie.session s WHERE l.name = 'job/' || $1 AND s.node = $2 RETURNING l.token`, job, node))
}

// clock is the database's time.
func (l *lab) clock() time.Time {
	l.Helper()
	return get[time.Time](l, l.db.Pool, `SELECT coterie.clock()`)
}

// begin begins a run and tells the answer or the SQLSTATE.
func (l *lab) begin(node string, d Definition, due time.Time, token leases.Token, nonce int64) string {
	l.Helper()
	query := `SELECT coterie.run_begin($1, $2, $3, $4, $5, NULL, '')`
	if l.batch {
		query = `SELECT (coterie.run_begin_all(ARRAY[$1], ARRAY[$2::timestamptz], ARRAY[$3::bigint], ARRAY[$4::bigint], ARRAY[$5::bigint], ARRAY[NULL::timestamptz], ARRAY['']))[1]`
	}
	var answer string
	err := l.nodes[node].Get(&answer, query, d.Name, due, int64(token), nonce, d.Generation)
	if answer == string(answerLost) {
		return "CT001"
	}
	return answer + state(l, err)
}

func (l *lab) end(node, job string, due time.Time, token leases.Token, nonce int64, outcome Outcome) string {
	l.Helper()
	query := `SELECT coterie.run_end($1, $2, $3, $4, $5, NULL, '', 'because')`
	if l.batch {
		query = `SELECT (coterie.run_end_all(ARRAY[$1], ARRAY[$2::timestamptz], ARRAY[$3::bigint], ARRAY[$4::bigint], ARRAY[$5::coterie.run_outcome], ARRAY[NULL::int], ARRAY[''], ARRAY['because']))[1]`
	}
	var stands *string
	err := l.nodes[node].Get(&stands, query, job, due, int64(token), nonce, outcome)
	if stands == nil {
		return "none" + state(l, err)
	}
	return *stands
}

// state is the SQLSTATE of an error.
func state(t testing.TB, err error) string {
	t.Helper()
	var said *pq.Error
	if err != nil && !errors.As(err, &said) {
		t.Fatal(err)
	}
	if said == nil {
		return ""
	}
	return string(said.Code)
}

// rows tells the slots of a job, oldest first.
func (l *lab) rows(job string) string {
	l.Helper()
	var rows []struct {
		Due     time.Time `db:"due_at"`
		Node    *string
		Outcome string
		Reason  *string
	}
	if err := l.db.Select(&rows, `SELECT due_at, node, outcome, reason FROM coterie.runs WHERE job = $1 ORDER BY due_at`, job); err != nil {
		l.Fatal(err)
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%s", r.Outcome)
		if r.Node != nil {
			fmt.Fprintf(&b, " on %s", *r.Node)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
