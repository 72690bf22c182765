package manifest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/appdata"
)

// ErrSuperseded says that another scan of the tree has begun since.
var ErrSuperseded = errors.New("another scan has begun since")

// Share is the tree of the shared folder.
const Share = "share"

// Own is the tree of what a node has of its own.
func Own(node string) string { return "node/" + node }

// Store is where manifests are kept.
type Store struct {
	DB   *sqlx.DB
	Node string // who scans
}

// Scan is one scan of a tree, as the database knows it.
type Scan struct {
	Tree     string
	Number   int64  `db:"scan"`
	Seen     int64  `db:"head"`     // last change of the manifest before it
	First    bool   `db:"first"`    // nothing is known as a whole yet
	Layout   string `db:"layout"`   // of the scan before
	Moment   int64  `db:"moment"`   // seconds since 1970, by the database's clock
	Accepted int64  `db:"accepted"` // missing files that an operator believes to be gone
}

// Begin announces a scan. Whatever scanned the tree before stores nothing more.
func (s Store) Begin(ctx context.Context, tree, layout string) (Scan, error) {
	scan := Scan{Tree: tree}
	err := s.once(ctx, &scan, `SELECT scan, head, first, layout, moment, accepted FROM coterie.appdata_begin($1, $2, $3)`, tree, s.Node, layout)
	if err != nil {
		return scan, fmt.Errorf("begin a scan of %s: %w", tree, err)
	}
	return scan, nil
}

// once says one statement on a connection of its own: a pool would say it again
// when its answer was lost.
func (s Store) once(ctx context.Context, into any, statement string, args ...any) error {
	conn, err := s.DB.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = conn.GetContext(ctx, into, statement, args...)
	if refused, ok := errors.AsType[*pq.Error](err); ok && refused.Code == "CT040" {
		return ErrSuperseded
	}
	return err
}

// loadFoldersSQL reads some folders; by ranges, so that no statement takes long.
const loadFoldersSQL = `
SELECT v.path, v.content, v.exact, v.files, v.bytes, v.holes, v.error, v.told
FROM coterie.appdata_folders v
WHERE v.tree = $1 AND v.path > $2
ORDER BY v.path LIMIT $3`

const loadPagesSQL = `
SELECT folder, first, entries
FROM coterie.appdata_page_list($1, $2, $3)`

// loadAtOnce are folders that one statement reads.
const loadAtOnce = 1000

// Load reads what is known of a tree.
func (s Store) Load(ctx context.Context, tree string) (*appdata.Shelf, error) {
	shelf := &appdata.Shelf{}
	for last := ""; ; {
		next, err := s.loadFolders(ctx, shelf, tree, last)
		if err != nil {
			return nil, fmt.Errorf("read the manifest of %s: %w", tree, err)
		}
		if next == "" {
			return shelf, nil
		}
		if err := s.loadPages(ctx, shelf, tree, last, next); err != nil {
			return nil, fmt.Errorf("read the manifest of %s: %w", tree, err)
		}
		last = next
	}
}

type folderRow struct {
	Path           string
	Content, Exact sql.NullString
	Files, Bytes   int64
	Holes          int64
	Error          string
	Told           bool
}

func (s Store) loadFolders(ctx context.Context, shelf *appdata.Shelf, tree, after string) (last string, err error) {
	var rows []folderRow
	if err := s.DB.SelectContext(ctx, &rows, loadFoldersSQL, tree, after, loadAtOnce); err != nil {
		return "", err
	}
	for _, r := range rows {
		sums := &appdata.Sums{Files: r.Files, Bytes: r.Bytes, Holes: r.Holes}
		if err := errors.Join(sums.Content.Read(r.Content.String), sums.Exact.Read(r.Exact.String)); err != nil {
			return "", err
		}
		if !r.Content.Valid {
			sums = nil
		}
		path, err := appdata.Unquote(r.Path)
		if err != nil {
			return "", err
		}
		shelf.Put(path, sums, r.Error)
		if sums == nil && r.Told {
			shelf.Told(path)
		}
		last = r.Path
	}
	return last, nil
}

func (s Store) loadPages(ctx context.Context, shelf *appdata.Shelf, tree, after, last string) (err error) {
	rows, err := s.DB.QueryContext(ctx, loadPagesSQL, tree, after, last)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var folder string
		var p appdata.Page
		if err := rows.Scan(&folder, &p.First, &p.Text); err != nil {
			return err
		}
		path, err := appdata.Unquote(folder)
		if err != nil {
			return err
		}
		shelf.Add(path, p)
	}
	return rows.Err()
}

// Done is how far a scan is.
type Done struct{ Folders, Entries, Bytes, Errors int64 }

type batchJSON struct {
	Folders []folderJSON `json:"folders,omitempty"`
	Removed []string     `json:"removed,omitempty"`
	Changes []changeJSON `json:"changes,omitempty"`
	Looked  int64        `json:"looked_folders"`
	Entries int64        `json:"looked_entries"`
	Read    int64        `json:"read_bytes"`
	Errors  int64        `json:"errors"`
}

type folderJSON struct {
	Path    string  `json:"path"`
	Content *string `json:"content"`
	Exact   *string `json:"exact"`
	Files   int64   `json:"files"`
	Bytes   int64   `json:"bytes"`
	Holes   int64   `json:"holes"`
	Error   string  `json:"error,omitempty"`
}

type changeJSON struct {
	Path    string   `json:"path"`
	From    string   `json:"from_path,omitempty"`
	Change  string   `json:"change"`
	Kind    string   `json:"kind"`
	Class   string   `json:"class"`
	Size    int64    `json:"size"`
	Digest  string   `json:"digest,omitempty"`
	Latency *float64 `json:"latency_ms,omitempty"`
}

const putSQL = `SELECT head, skipped FROM coterie.appdata_store($1, $2, $3, $4, $5, $6, $7)`

// Put stores a batch. Folders of which somebody has told since the scan began to
// read what is known come back: nothing of them was stored.
func (s Store) Put(ctx context.Context, scan Scan, b appdata.Batch, done Done, about Journal) (skipped []string, err error) {
	doc := batchJSON{Looked: done.Folders, Entries: done.Entries, Read: done.Bytes, Errors: done.Errors}
	var p pages
	for _, f := range b.Folders {
		path := appdata.Quote(f.Path)
		doc.Folders = append(doc.Folders, folderOf(path, f))
		p.add(path, f)
	}
	for _, path := range b.Removed {
		doc.Removed = append(doc.Removed, appdata.Quote(path))
	}
	for _, c := range b.Changes {
		doc.Changes = append(doc.Changes, about.row(c))
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("store a scan of %s: %w", scan.Tree, err)
	}
	var answer struct {
		Head    int64
		Skipped pq.StringArray
	}
	err = s.once(ctx, &answer, putSQL, scan.Tree, scan.Number, scan.Seen, string(text), pq.Array(p.folders), pq.Array(p.firsts), pq.Array(p.texts))
	if err != nil {
		return nil, fmt.Errorf("store a scan of %s: %w", scan.Tree, err)
	}
	return answer.Skipped, nil
}

func folderOf(path string, f appdata.DirText) folderJSON {
	j := folderJSON{Path: path, Error: f.Err}
	if f.Sums != nil {
		content, exact := f.Sums.Content.String(), f.Sums.Exact.String()
		j.Content, j.Exact, j.Files, j.Bytes, j.Holes = &content, &exact, f.Sums.Files, f.Sums.Bytes, f.Sums.Holes
	}
	return j
}

// Finish says that the tree is known as a whole, but for held files that were
// missing and are not believed to be gone. shown files were missing, and a second
// look showed them.
func (s Store) Finish(ctx context.Context, scan Scan, held int64, sample []string, shown int64) error {
	quoted := make([]string, 0, len(sample))
	for _, path := range sample {
		quoted = append(quoted, appdata.Quote(path))
	}
	var ours bool
	err := s.once(ctx, &ours, `SELECT coterie.appdata_finish($1, $2, $3, $4, $5)`, scan.Tree, scan.Number, held, pq.Array(quoted), shown)
	if err == nil && !ours {
		err = ErrSuperseded
	}
	if err != nil {
		return fmt.Errorf("finish a scan of %s: %w", scan.Tree, err)
	}
	return nil
}

// Journal is what the journal says of a change beside the change itself.
type Journal struct {
	Class func(path string) appdata.Class
	Clock time.Time // of the share, now; zero when it cannot be told
}

func (j Journal) row(c appdata.Change) changeJSON { return rowOf(c.Note(j.Class, j.Clock)) }

func rowOf(n appdata.Noted) changeJSON {
	r := changeJSON{
		Path: n.Path, From: n.From, Change: string(n.Change), Kind: n.Kind, Class: string(n.Class), Size: n.Size, Digest: n.Digest,
	}
	if n.Latency >= 0 {
		ms := float64(n.Latency) / float64(time.Millisecond)
		r.Latency = &ms
	}
	return r
}
