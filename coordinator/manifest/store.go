package manifest

import (
	"context"
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

// outlineSQL reads some folders; by ranges, so that no statement takes long.
const outlineSQL = `
SELECT path, content, exact, looks, files, bytes, holes, error, told
FROM coterie.appdata_outline($1, $2, $3)`

const loadPagesSQL = `
SELECT folder, first, entries
FROM coterie.appdata_page_list($1, $2, $3)`

const pagesOfSQL = `
SELECT first, entries
FROM coterie.appdata_pages_of($1, $2)`

const (
	loadAtOnce    = 1000   // folders that one statement reads with all that is in them,
	outlineAtOnce = 10_000 // and without
)

// Load reads what is known of a tree.
func (s Store) Load(ctx context.Context, tree string) (*appdata.Shelf, error) {
	shelf := &appdata.Shelf{}
	err := s.loadFolders(ctx, shelf, tree, loadAtOnce, func(after, last string) error { return s.loadPages(ctx, shelf, tree, after, last) })
	if err != nil {
		return nil, fmt.Errorf("read the manifest of %s: %w", tree, err)
	}
	return shelf, nil
}

// Outline reads what stands for each folder of a tree. What is in one is read when it
// is asked for, also while a scan that was interrupted keeps what it knows.
func (s Store) Outline(ctx context.Context, tree string) (*appdata.Shelf, error) {
	shelf := &appdata.Shelf{Fetch: func(path string) ([]appdata.Page, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		var pages []appdata.Page
		if err := s.DB.SelectContext(ctx, &pages, pagesOfSQL, tree, appdata.Quote(path)); err != nil {
			return nil, fmt.Errorf("read what is known of %q in %s: %w", path, tree, err)
		}
		return pages, nil
	}}
	if err := s.loadFolders(ctx, shelf, tree, outlineAtOnce, func(string, string) error { return nil }); err != nil {
		return nil, fmt.Errorf("read the manifest of %s: %w", tree, err)
	}
	return shelf, nil
}

// loadFolders reads all folders; each is told of each range of them.
func (s Store) loadFolders(ctx context.Context, shelf *appdata.Shelf, tree string, atOnce int, each func(after, last string) error) error {
	for after := ""; ; {
		var rows []folderRow
		if err := s.DB.SelectContext(ctx, &rows, outlineSQL, tree, after, atOnce); err != nil {
			return err
		}
		for _, r := range rows {
			if err := r.put(shelf); err != nil {
				return err
			}
		}
		if len(rows) == 0 {
			return nil
		}
		last := rows[len(rows)-1].Path
		if err := each(after, last); err != nil {
			return err
		}
		after = last
	}
}

type folderRow struct {
	Path                  string
	Content, Exact, Looks []byte
	Files, Bytes, Holes   int64
	Error                 string
	Told                  bool
}

func (r folderRow) put(shelf *appdata.Shelf) error {
	path, err := appdata.Unquote(r.Path)
	if err != nil {
		return err
	}
	var sums *appdata.Sums
	if r.Content != nil {
		sums = &appdata.Sums{Files: r.Files, Bytes: r.Bytes, Holes: r.Holes}
		copy(sums.Content[:], r.Content)
		copy(sums.Exact[:], r.Exact)
	}
	shelf.Put(path, sums, r.Error)
	if sums == nil && r.Told {
		shelf.Told(path)
	}
	if len(r.Looks) > 0 {
		shelf.Looks(path, appdata.Digest(r.Looks))
	}
	return nil
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
	Looks   string  `json:"looks,omitempty"`
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

const putSQL = `SELECT head, skipped FROM coterie.appdata_store($1, $2, $3, $4, $5, $6, NULL, $7)`

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
	err = s.once(ctx, &answer, putSQL, scan.Tree, scan.Number, scan.Seen, string(text), pq.Array(p.folders), pq.Array(p.firsts), p.text())
	if err != nil {
		return nil, fmt.Errorf("store a scan of %s: %w", scan.Tree, err)
	}
	return answer.Skipped, nil
}

func folderOf(path string, f appdata.DirText) folderJSON {
	j := folderJSON{Path: path, Error: f.Err}
	if f.Sums != nil {
		content, exact := f.Sums.Content.String(), f.Sums.Exact.String()
		j.Looks = f.Looks.String()
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
