package license

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
)

// plannedSQL is what a definition changed within the transaction that it is tried in.
const plannedSQL = `
SELECT subject, kind, coalesce(detail->'from', 'null')::text AS old, coalesce(detail->'to', 'null')::text AS new
FROM coterie.events
WHERE id > $1 AND kind IN ('license.changed', 'license.removed')
ORDER BY id`

// Plan tries a definition and takes it back. It tells what would change, a line for
// each rule of a pool; none when all is as the definition says.
func Plan(ctx context.Context, db *sqlx.DB, d Definition) (lines []string, err error) {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	var head int64
	if err := tx.GetContext(ctx, &head, `SELECT coalesce(max(id), 0) FROM coterie.events`); err != nil {
		return nil, fmt.Errorf("try a definition of pools: %w", err)
	}
	if _, err := Define(ctx, tx, d, "", ""); err != nil {
		return nil, err
	}
	var changes []struct{ Subject, Kind, Old, New string }
	if err := tx.SelectContext(ctx, &changes, plannedSQL, head); err != nil {
		return nil, fmt.Errorf("try a definition of pools: %w", err)
	}
	for _, c := range changes {
		var old, now map[string]any
		if err := errors.Join(json.Unmarshal([]byte(c.Old), &old), json.Unmarshal([]byte(c.New), &now)); err != nil {
			return nil, fmt.Errorf("try a definition of pools: %s: %w", c.Subject, err)
		}
		switch {
		case c.Kind == "license.removed":
			lines = append(lines, c.Subject+": removed")
		case old == nil:
			lines = append(lines, fmt.Sprintf("%s: a new pool, %v, %s", c.Subject, now["kind"], value("entitlements", now["entitlements"])))
		default:
			lines = append(lines, differences(c.Subject, old, now)...)
		}
	}
	return lines, nil
}

// differences has a line for each thing that is said of a pool and changed.
func differences(pool string, old, now map[string]any) (lines []string) {
	for _, key := range slices.Sorted(maps.Keys(now)) {
		before, after := value(key, old[key]), value(key, now[key])
		if before != after {
			name := strings.ReplaceAll(key, "entitlements", "seats")
			lines = append(lines, fmt.Sprintf("%s: %s %s -> %s", pool, name, before, after))
		}
	}
	return lines
}

// value is one thing that is said of a pool, as people read it.
func value(key string, v any) string {
	switch v := v.(type) {
	case nil:
		return map[bool]string{true: "0", false: "none"}[key == "entitlements"]
	case []any:
		return listed(key, v)
	}
	return fmt.Sprint(v)
}

// listed is a list of things that are said of a pool.
func listed(key string, list []any) string {
	var each []string
	for _, one := range list {
		switch one := one.(type) {
		case map[string]any:
			each = append(each, map[string]func(map[string]any) string{"entitlements": entitlement, "rules": rule}[key](one))
		case []any: // a group and a member
			each = append(each, fmt.Sprintf("%v in %v", one[1], one[0]))
		default:
			each = append(each, fmt.Sprint(one))
		}
	}
	return strings.Join(each, map[bool]string{true: " + ", false: ", "}[key == "entitlements"])
}

func entitlement(e map[string]any) string {
	text := fmt.Sprintf("%v (%v", e["seats"], e["serial"])
	if end := e["ends_at"]; end != "infinity" {
		text += fmt.Sprintf(" until %v", end)
	}
	if on, _ := e["addresses"].([]any); len(on) > 0 {
		text += fmt.Sprintf(" on %v", on)
	}
	return text + ")"
}

func rule(r map[string]any) string {
	text := fmt.Sprintf("%v %v", r["subject"], r["name"])
	if n := r["reserved"]; n != 0.0 {
		text += fmt.Sprintf(" has %v reserved", n)
	}
	if n := r["most"]; n != nil {
		text += fmt.Sprintf(" has at most %v", n)
	}
	if access := r["access"]; access != "any" {
		text += fmt.Sprintf(" %vd", access)
	}
	return text
}
