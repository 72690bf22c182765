package leases_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-ha/coterie/sql/sqltest"
)

// Of a large cluster each node watches its next neighbours by name, around the
// end, so that each session has as many witnesses.
func TestANodeWatchesItsNextNeighboursOnTheRingOfNames(t *testing.T) {
	const nodes, watched = 40, 32
	db := sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('test')`)
	db.MustExec(`SELECT coterie.session_begin(format('n%s', to_char(i, 'FM00')), i + 1, '{}', NULL, NULL, 0) FROM generate_series(0, 39) AS i`)
	for _, me := range []int{0, 7, 8, 20, 39} {
		var doc []byte
		if err := db.Get(&doc, `SELECT coterie.peers_of($1)`, fmt.Sprintf("n%02d", me)); err != nil {
			t.Fatal(err)
		}
		var got []struct {
			Node    string
			Expired bool
			TTL     float64 `json:"ttl_ms"`
		}
		if err := json.Unmarshal(doc, &got); err != nil {
			t.Fatal(err)
		}
		var names, want []string
		for _, p := range got {
			names = append(names, p.Node)
			if p.Expired || p.TTL != 6000 {
				t.Errorf("n%02d sees %+v", me, p)
			}
		}
		for i := 1; i <= watched; i++ {
			want = append(want, fmt.Sprintf("n%02d", (me+i)%nodes))
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("n%02d watches (-want +got):\n%s", me, diff)
		}
	}
}
