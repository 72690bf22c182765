package console

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/sqltest"
)

// shown are the rows of each list that the page and the metrics read.
var shown = map[string]any{
	"status": statusRow{}, "nodes": nodeRow{}, "jobs": jobRow{}, "leases": leaseRow{}, "runs": runRow{},
	"takeovers": takeoverRow{}, "findings": findingRow{}, "events": eventRow{}, "trusts": trustRow{},
}

// Of the contract, these are shown as soon as they are there.
var (
	laterViews   = []string{"jobs", "runs"}
	laterColumns = []string{"nodes.jobs_running", "nodes.storage_state"}
)

const columnsSQL = `
SELECT column_name::text FROM information_schema.columns
WHERE table_schema = 'coterie' AND table_name = $1`

func TestTheViewsHaveTheColumnsThatAreShown(t *testing.T) {
	db := sqltest.New(t)
	for list, row := range shown {
		var columns []string
		if err := db.Select(&columns, columnsSQL, list); err != nil {
			t.Fatal(err)
		}
		if len(columns) == 0 {
			if !slices.Contains(laterViews, list) {
				t.Errorf("there is no view %s", list)
			}
			continue
		}
		for field := range reflect.TypeOf(row).Fields() {
			name := field.Tag.Get("json")
			if !slices.Contains(columns, name) && !slices.Contains(laterColumns, list+"."+name) {
				t.Errorf("view %s has no column %s", list, name)
			}
		}
	}
}

// documentSQL is how the agent reads a list.
const documentSQL = `SELECT coalesce(json_agg(v), '[]')::text FROM coterie.`

func TestRowsAreReadAsPostgreSQLWritesThem(t *testing.T) {
	db := sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('deploy-prod')`)
	db.MustExec(`INSERT INTO coterie.node (name, id, goal, goal_by, goal_reason, state) VALUES ('app-a', 'a', 'drained', 'ana', 'kernel "6.1"', 'draining')`)
	db.MustExec(`INSERT INTO coterie.session (node, incarnation, ttl, expires_at, renewed_at, rtt_ms)
		VALUES ('app-a', 1, '6s', coterie.clock() + '6s', coterie.clock() - interval '3 min 30 s', 1.25)`)
	db.MustExec(`INSERT INTO coterie.event (node, kind, subject, token, peer, since, reason, detail)
		VALUES ('app-a', 'lease.claimed', 'primary', 41, 'app-b', coterie.clock() - interval '1 day 02:30:00', 'crash', '{"n": 1}')`)

	s := sample()
	s.Docs = map[string]Document{}
	for _, list := range []string{"nodes", "takeovers", "events", "leases", "findings", "trusts"} {
		var rows string
		if err := db.Get(&rows, documentSQL+list+" v"); err != nil {
			t.Fatal(err)
		}
		s.Docs[list] = Document{Rows: json.RawMessage(rows), AsOf: time.Now()}
	}
	if err := db.Get(&s.Now, `SELECT coterie.clock()`); err != nil {
		t.Fatal(err)
	}
	body := pageOf(t, s)
	for _, want := range []string{">3 min ago<", ">1.2 ms<", `>1 d 2 h<`, "ana: kernel &#34;6.1&#34;", "from app-b; crash; n 1", ">41<"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s:\n%s", want, body)
		}
	}
}

func TestTextsAreReadAsDurations(t *testing.T) {
	for in, want := range map[text]time.Duration{
		"1.5": 1500 * time.Millisecond, "00:00:03.25": 3250 * time.Millisecond, "01:02:03": time.Hour + 2*time.Minute + 3*time.Second,
		"2 days": 48 * time.Hour, "1 day 00:00:01": 24*time.Hour + time.Second, "-00:00:02.5": -2500 * time.Millisecond,
		"-1 days +02:00:00": -22 * time.Hour,
	} {
		if got, ok := in.duration(); !ok || got != want {
			t.Errorf("%q: %v, %v, want %v", in, got, ok, want)
		}
	}
	for _, in := range []text{"", "soon", "1 mon 2 days", "12:30", "true", "1 2 3"} {
		if got, ok := in.duration(); ok {
			t.Errorf("%q was read as %v", in, got)
		}
	}
}

func TestDurationsAreSaidBriefly(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 ms": 0, "214 ms": 214 * time.Millisecond, "3.1 s": 3149 * time.Millisecond, "42 s": 42900 * time.Millisecond, "100 s": 100 * time.Second,
		"2 min": 2 * time.Minute, "1 h": time.Hour, "1 h 59 min": 2*time.Hour - time.Second, "3 d 4 h": 76 * time.Hour, "-42 s": -42 * time.Second,
	} {
		if got := brief(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
