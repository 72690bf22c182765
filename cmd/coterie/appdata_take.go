package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// takeableSQL are the files that differ on a node, at or below some paths or in all,
// and whether the other node has them; of a folder that is missing, those in it.
const takeableSQL = `
WITH drift AS (
    SELECT d.path, d.differs FROM coterie.drifts d
    WHERE d.node = $1 AND d.path <> '.' AND (cardinality($3::text[]) = 0 OR EXISTS (SELECT FROM unnest($3::text[]) w WHERE d.path = w OR starts_with(d.path, w || '/') OR starts_with(w, d.path || '/')))
)
SELECT coalesce(f.path, d.path) AS path, coalesce(f.kind, '') AS kind, array_to_string(d.differs, ', ') AS differs
FROM drift d
LEFT JOIN coterie.appdata_files f ON f.tree = $2 AND (f.path = d.path OR starts_with(f.path, d.path || '/') AND f.kind = 'file')
WHERE f.kind IS DISTINCT FROM 'folder' AND (cardinality($3::text[]) = 0 OR f.path IS NULL OR EXISTS (SELECT FROM unnest($3::text[]) w WHERE f.path = w OR starts_with(f.path, w || '/')))
ORDER BY 1`

const takeFor = 2 * time.Minute // for all of the files

// takeFrom has a node take files from another.
func (c *cli) takeFrom(ctx context.Context, k *cluster, node, source string, words []string) error {
	for _, name := range []string{node, source} {
		if err := k.ownNode(ctx, name); err != nil {
			return err
		}
	}
	if node == source {
		return usageProblem("%s cannot take files from itself", node)
	}
	for i := range words {
		words[i] = strings.TrimSuffix(words[i], "/")
	}
	var found []struct{ Path, Kind, Differs string }
	if err := k.db.SelectContext(ctx, &found, takeableSQL, node, manifest.Own(source), pq.Array(append([]string{}, words...))); err != nil {
		return err
	}
	var plan, paths []string
	for _, f := range found {
		switch f.Kind {
		case "file":
			paths = append(paths, f.Path)
			plan = append(plan, f.Path+" ("+f.Differs+")")
		case "":
			plan = append(plan, f.Path+": "+source+" has none; left as it is")
		default:
			plan = append(plan, f.Path+": a "+f.Kind+" on "+source+"; left as it is")
		}
	}
	if len(paths) == 0 {
		return c.takenDocument(node, source, nil, strings.Join(append(plan, "Nothing to take."), "\n")+"\n")
	}
	plan = append(plan, "what is replaced is kept in the state directory of "+node+"; fields that may differ stay as they are")
	if done, err := c.agree(fmt.Sprintf("Would have %s take from %s:", node, source), plan, "Go on?"); done || err != nil {
		return err
	}
	var ids pq.Int64Array
	if err := k.command(ctx, &ids, `SELECT coterie.own_take_ask($1, $2, $3, $4)`, node, source, pq.Array(paths), caller()); err != nil {
		return err
	}
	return c.awaitTakes(ctx, k, node, source, ids)
}

type takeRow struct {
	Path, State, Error, Backup string
}

func (c *cli) awaitTakes(ctx context.Context, k *cluster, node, source string, ids pq.Int64Array) error {
	waiting, cancel := context.WithTimeout(ctx, takeFor)
	defer cancel()
	var rows []takeRow
	for {
		err := k.db.SelectContext(waiting, &rows, `SELECT path, state, coalesce(error, '') AS error, coalesce(backup, '') AS backup FROM coterie.takes WHERE id = ANY ($1) ORDER BY path`, ids)
		if err != nil && waiting.Err() == nil {
			return err
		}
		open := 0
		for _, r := range rows {
			if r.State == "asked" || r.State == "given" {
				open++
			}
		}
		if err == nil && open == 0 {
			break
		}
		if pause(waiting, 200*time.Millisecond) != nil {
			return c.withdrawTakes(ctx, k, node, source, ids)
		}
		rows = nil
	}
	var text strings.Builder
	var failed []string
	for _, r := range rows {
		switch {
		case r.State != "taken":
			failed = append(failed, r.Path+": "+orElse(r.Error, r.State))
		case r.Backup != "":
			fmt.Fprintf(&text, "%s taken; before: %s\n", r.Path, r.Backup)
		default:
			fmt.Fprintf(&text, "%s taken\n", r.Path)
		}
	}
	if err := c.takenDocument(node, source, rows, text.String()); err != nil {
		return err
	}
	if len(failed) > 0 {
		return problem.New("COT-318", nil, "%s", strings.Join(failed, "; "))
	}
	return nil
}

// withdrawTakes leaves nothing behind that would be done later, unseen.
func (c *cli) withdrawTakes(ctx context.Context, k *cluster, node, source string, ids pq.Int64Array) error {
	late := ctx.Err() == nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	var withdrawn int64
	if err := k.command(ctx, &withdrawn, `SELECT coterie.own_take_withdraw($1)`, ids); err != nil {
		return err
	}
	why := "interrupted"
	if late {
		why = fmt.Sprintf("the agents of %s and %s have not done it within %v", source, node, takeFor)
	}
	return problem.New("COT-318", nil, "%s; withdrawn: %s", why, plural(withdrawn, "file"))
}

func (c *cli) takenDocument(node, source string, rows []takeRow, text string) error {
	files := []table.Document{}
	for _, r := range rows {
		files = append(files, table.Document{{Name: "path", Value: r.Path}, {Name: "state", Value: r.State}, {Name: "error", Value: r.Error}, {Name: "backup", Value: r.Backup}})
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.appdata_take/v1"}, {Name: "node", Value: node}, {Name: "from", Value: source}, {Name: "files", Value: files},
	}, text)
}
