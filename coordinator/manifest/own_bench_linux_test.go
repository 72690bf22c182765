package manifest_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
)

// BenchmarkTwoNodesWith10000EqualFiles is one look of one of two nodes whose files
// are equal and unchanged, from the walk to the comparison in the database.
func BenchmarkTwoNodesWith10000EqualFiles(b *testing.B) {
	h := benchHouses(b, 10_000)
	s := func(node string) manifest.OwnSurvey {
		return manifest.OwnSurvey{
			Store: manifest.Store{DB: h.db.Agent().DB, Node: node}, Own: appdata.Own{Root: filepath.Join(h.dir, node), Equal: h.equal},
			Scan: func(ctx context.Context, o appdata.Own, tell func(appdata.OwnFound) error) error {
				return o.Do(ctx, tell)
			},
		}
	}
	look := func(node string) {
		if _, err := s(node).Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		h.sql(`INSERT INTO coterie.own (node, incarnation, root, rules, every) VALUES ($1, 1, '/x', $2, '1m') ON CONFLICT (node) DO NOTHING`, node, h.equal.Name())
		h.sql(`SELECT coterie.own_settle()`)
	}
	look("app-a")
	look("app-b")
	for b.Loop() {
		look("app-b")
	}
	var rows, drifts float64
	for _, of := range []struct {
		into *float64
		sql  string
	}{
		{&rows, `SELECT (SELECT count(*) FROM coterie.appdata_folder) + (SELECT count(*) FROM coterie.appdata_page)`},
		{&drifts, `SELECT count(*) FROM coterie.drift`},
	} {
		if err := h.db.Get(of.into, of.sql); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rows, "rows")
	b.ReportMetric(drifts, "drifts")
}

func benchHouses(t testing.TB, files int) *houses {
	h := newHouses(t, "app-a", "app-b")
	for _, node := range []string{"app-a", "app-b"} {
		for i := range files {
			h.write(node, fmt.Sprintf("patches/%d/%d.jar", i/100, i), "jar")
		}
	}
	return h
}
