package license

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/jmoiron/sqlx"
)

// Source tells who is at work on this node, for an application that asks for no
// seats itself.
type Source func(ctx context.Context) ([]Use, error)

// Follow counts whom a source shows in a pool, until ctx ends. They are at work
// already, so none is refused; whoever has no seat is excess. A source that fails
// changes nothing.
func (d *Desk) Follow(ctx context.Context, pool string, every time.Duration, source Source) error {
	d.once.Do(d.prepare)
	tick := time.NewTicker(every)
	defer tick.Stop()
	shown := map[Use]bool{}
	failing := false
	for {
		uses, err := source(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !failing:
			failing = true
			d.log().Warn("who is at work cannot be seen", "pool", pool, "err", err)
		case err == nil:
			failing = false
			shown = d.reconcile(pool, shown, uses)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// reconcile makes the uses of a source those of the desk.
func (d *Desk) reconcile(pool string, before map[Use]bool, uses []Use) map[Use]bool {
	now := make(map[Use]bool, len(uses))
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, u := range uses {
		u.Pool = pool
		if u.check() == nil && len(d.state.uses) < mostUses {
			now[u] = true
			d.step(Shown{u})
		}
	}
	for u := range before {
		if !now[u] {
			d.step(Left{Use: u})
		}
	}
	return now
}

// FromQuery is a source that asks the application's own table of sessions. The
// columns are holder, session and host; the last two may be left out.
func FromQuery(db *sqlx.DB, query string) Source {
	return func(ctx context.Context) (uses []Use, err error) {
		rows, err := db.QueryContext(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("ask who is at work: %w", err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			return nil, err
		}
		if len(columns) < 1 || len(columns) > 3 {
			return nil, fmt.Errorf("ask who is at work: %d columns; holder, session and host are wanted", len(columns))
		}
		for rows.Next() {
			var text [3]sql.NullString
			into := []any{&text[0], &text[1], &text[2]}
			if err := rows.Scan(into[:len(columns)]...); err != nil {
				return nil, err
			}
			uses = append(uses, Use{Holder: text[0].String, Session: text[1].String, Host: text[2].String})
		}
		return uses, rows.Err()
	}
}

// Log is an access log: whoever has a line within the window is at work.
type Log struct {
	Path    string
	Pattern *regexp.Regexp // with groups holder and, perhaps, session and host
	Window  time.Duration
	Now     func() time.Duration

	file   os.FileInfo
	offset int64
	seen   map[Use]time.Duration
}

// mostRead bounds how much of a log one look reads: of what was there before, its end.
const mostRead = 16 << 20

// Uses is a Source. It reads what was appended since the last time; a log that was
// rotated or emptied is read from its beginning.
func (l *Log) Uses(context.Context) (uses []Use, err error) {
	if l.seen == nil {
		l.seen = map[Use]time.Duration{}
	}
	if err := l.read(); err != nil {
		return nil, fmt.Errorf("read the access log: %w", err)
	}
	for u, at := range l.seen {
		if l.Now()-at > l.Window {
			delete(l.seen, u)
			continue
		}
		uses = append(uses, u)
	}
	return uses, nil
}

func (l *Log) read() (err error) {
	f, err := os.Open(l.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch {
	case l.file == nil:
		l.offset = info.Size() // what was logged before this agent began is not of now
	case !os.SameFile(l.file, info) || info.Size() < l.offset:
		l.offset = 0
	}
	l.file = info
	l.offset = max(l.offset, info.Size()-mostRead)
	text, err := io.ReadAll(io.NewSectionReader(f, l.offset, mostRead))
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1 // the rest is still being written
	l.offset += int64(whole)
	for line := range bytes.Lines(text[:whole]) {
		l.line(string(bytes.TrimRight(line, "\r\n")))
	}
	return nil
}

func (l *Log) line(text string) {
	m := l.Pattern.FindStringSubmatch(text)
	if m == nil {
		return
	}
	group := func(name string) string {
		if i := l.Pattern.SubexpIndex(name); i > 0 {
			return m[i]
		}
		return ""
	}
	u := Use{Holder: group("holder"), Session: group("session"), Host: group("host")}
	if u.Holder == "" || u.Holder == "-" {
		return // nobody has logged in
	}
	l.seen[u] = l.Now()
}
