package manifest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/appdata"
)

// ErrTooMuch says that a scan is the better way to find out.
var ErrTooMuch = errors.New("too much for a watch to tell")

const (
	toldFolders = 200     // looked at in one step
	toldBelow   = 500     // folders that are gone with one
	toldBytes   = 4 << 20 // of what is known of them
	toldGone    = 100     // files that are gone at once without a scan's second look
)

// Teller stores what a watch of the share tells.
type Teller struct {
	Store
	Incarnation int64
	Layout      string
	// Look looks at the share; in an agent it is worker.Pool.Look.
	Look func(context.Context, appdata.Look) (appdata.Looked, error)
}

// Tell looks at folders that a watch has named, and stores what changed. It gives
// the number of changes. ErrTooMuch asks for a scan.
func (t Teller) Tell(ctx context.Context, share appdata.Share, d appdata.Dirty) (changes int, err error) {
	slices.Sort(d.Folders)
	for part := range slices.Chunk(d.Folders, toldFolders) {
		n, err := t.part(ctx, appdata.Look{Share: share, Layout: t.Layout, Folders: part, Busy: d.Busy})
		changes += n
		if err != nil {
			return changes, fmt.Errorf("tell of %s: %w", Share, err)
		}
	}
	return changes, nil
}

// part tells of some folders. When others tell at the same moment it looks again.
func (t Teller) part(ctx context.Context, l appdata.Look) (int, error) {
	for range 20 {
		read, err := t.known(ctx, &l, l.Folders, nil)
		if err != nil {
			return 0, err
		}
		found, err := t.Look(ctx, l)
		if err == nil && len(found.Below) > 0 {
			// What was in folders that are gone is told too.
			var more []readJSON
			if more, err = t.known(ctx, &l, nil, found.Below); err == nil {
				read = append(read, more...)
				found, err = t.Look(ctx, l)
			}
		}
		if err != nil {
			return 0, err
		}
		if len(found.Folders)+len(found.Removed)+len(found.Changes) == 0 {
			return 0, nil
		}
		if gone := deletions(found.Changes); gone > toldGone {
			return 0, fmt.Errorf("%d names are gone at once: %w", gone, ErrTooMuch)
		}
		stored, err := t.store(ctx, read, found)
		if stored || err != nil {
			return len(found.Changes), err
		}
	}
	return 0, fmt.Errorf("others write the same folders: %w", ErrTooMuch)
}

func deletions(changes []appdata.Noted) (n int) {
	for _, c := range changes {
		if c.Change == appdata.Deleted {
			n++
		}
	}
	return n
}

// readJSON is a folder as it was when it was read; moved is 0 for one that is not known.
type readJSON struct {
	Path  string `json:"path"`
	Moved int64  `json:"moved"`
}

// knownSQL gives the moment also when nothing is known. It sorts as a manifest does, by bytes.
const knownSQL = `
SELECT now.moment, k.path, coalesce(k.error, ''), coalesce(k.moved, 0), k.first, k.entries
FROM (SELECT extract(epoch FROM coterie.clock())::bigint AS moment) AS now
LEFT JOIN coterie.appdata_known($1, $2, $3) AS k ON true
ORDER BY k.path COLLATE "C", k.first COLLATE "C"`

// known adds what is stored of some folders to a look, and of some all below.
func (t Teller) known(ctx context.Context, l *appdata.Look, folders, below []string) (read []readJSON, err error) {
	if below == nil {
		l.Known = nil
	}
	rows, err := t.DB.QueryContext(ctx, knownSQL, Share, pq.Array(append([]string{}, folders...)), pq.Array(append([]string{}, below...)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	size := 0
	for rows.Next() {
		var f appdata.KnownFolder
		var moved int64
		var path, first, text sql.NullString
		if err := rows.Scan(&l.Moment, &path, &f.Err, &moved, &first, &text); err != nil {
			return nil, err
		}
		if !path.Valid {
			continue
		}
		f.Path = path.String
		if n := len(read); n == 0 || read[n-1].Path != f.Path {
			read = append(read, readJSON{f.Path, moved})
			l.Known = append(l.Known, f)
		}
		if last := &l.Known[len(l.Known)-1]; first.Valid {
			last.Pages = append(last.Pages, appdata.Page{First: first.String, Text: text.String})
		}
		if size += len(text.String); size > toldBytes || len(read) > toldBelow {
			return nil, ErrTooMuch
		}
	}
	for _, folder := range folders {
		if !slices.ContainsFunc(read, func(r readJSON) bool { return r.Path == folder }) {
			read = append(read, readJSON{folder, 0})
		}
	}
	return read, rows.Err()
}

type tellJSON struct {
	Read    []readJSON   `json:"read"`
	Folders []folderJSON `json:"folders,omitempty"`
	Removed []string     `json:"removed,omitempty"`
	Changes []changeJSON `json:"changes,omitempty"`
}

const tellSQL = `SELECT head, stored FROM coterie.appdata_tell($1, $2, $3, $4, $5, $6, $7)`

func (t Teller) store(ctx context.Context, read []readJSON, found appdata.Looked) (bool, error) {
	doc := tellJSON{Read: read, Removed: found.Removed}
	var p pages
	for _, f := range found.Folders {
		doc.Folders = append(doc.Folders, folderJSON{Path: f.Path, Error: f.Err})
		p.add(f.Path, f)
	}
	for _, c := range found.Changes {
		doc.Changes = append(doc.Changes, rowOf(c))
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return false, err
	}
	var answer struct {
		Head   int64
		Stored bool
	}
	err = t.once(ctx, &answer, tellSQL, t.Node, t.Incarnation, Share, string(text), pq.Array(p.folders), pq.Array(p.firsts), pq.Array(p.texts))
	if err == nil && answer.Head == 0 {
		err = fmt.Errorf("never scanned: %w", ErrTooMuch)
	}
	return answer.Stored, err
}

// pages are the pages of a batch as three arrays; one without text is removed.
type pages struct {
	folders, firsts []string
	texts           []sql.NullString
}

func (p *pages) add(path string, f appdata.DirText) {
	for _, page := range f.Pages {
		p.folders, p.firsts, p.texts = append(p.folders, path), append(p.firsts, page.First), append(p.texts, sql.NullString{String: page.Text, Valid: true})
	}
	for _, first := range f.Gone {
		p.folders, p.firsts, p.texts = append(p.folders, path), append(p.firsts, first), append(p.texts, sql.NullString{})
	}
}

// text gives all texts as one: the server reads it in a third of the time of an array.
// No page has either character, since it holds nothing but what Quote writes.
func (p *pages) text() string {
	size := 0
	for _, t := range p.texts {
		size += len(t.String) + 2
	}
	var b strings.Builder
	b.Grow(size)
	for _, t := range p.texts {
		if b.WriteString(t.String); !t.Valid {
			b.WriteByte('\x1f')
		}
		b.WriteByte('\x1e')
	}
	return b.String()
}

// Doubt tells that changes may have been missed: a scan is asked for.
func (t Teller) Doubt(ctx context.Context, reason string) error {
	var told bool
	err := t.once(ctx, &told, `SELECT coterie.appdata_doubt($1, $2, $3, $4)`, t.Node, t.Incarnation, Share, strings.ToValidUTF8(reason, "?"))
	if err == nil && !told {
		err = errors.New("another life of the node is at work")
	}
	if err != nil {
		return fmt.Errorf("ask for a scan of %s: %w", Share, err)
	}
	return nil
}

// Known reports whether the share was ever scanned as a whole: before that there
// is nothing that could differ.
func (s Store) Known(ctx context.Context) (known bool, err error) {
	err = s.DB.GetContext(ctx, &known, `SELECT whole_at IS NOT NULL FROM coterie.appdata_trees WHERE name = $1`, Share)
	return known, err
}
