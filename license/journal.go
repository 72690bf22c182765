package license

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/jmoiron/sqlx"
)

// journal is the file of what was granted while the database was away. A line is
// on disk before its grant is told; the lines go into the database's ledger when
// it is back, and the file is emptied.
type journal struct {
	path  string
	node  string // whose it is
	lines int    // written since it was emptied last, by this process
	read  bool
}

// Entry is one grant of a journal.
type Entry struct {
	At      time.Time `json:"at"` // by the host's clock: for people
	Node    string    `json:"node"`
	Kind    Kind      `json:"kind"`
	Pool    string    `json:"pool"`
	Holder  string    `json:"holder"`
	Session string    `json:"session,omitempty"`
	Host    string    `json:"host,omitempty"`
}

// errNoJournal means that there is no file to write to.
var errNoJournal = errors.New("no journal is configured")

func (j *journal) write(u Use, kind Kind, at time.Time) (err error) {
	if j.path == "" {
		return errNoJournal
	}
	line, err := json.Marshal(Entry{At: at.UTC(), Node: j.node, Kind: kind, Pool: u.Pool, Holder: u.Holder, Session: u.Session, Host: u.Host})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// A line that an earlier crash left half is ended, so that it spoils no other.
	if _, err := f.Write(append(append([]byte("\n"), line...), '\n')); err != nil {
		return err
	}
	j.lines++
	return f.Sync()
}

// ReadJournal reads the lines that are whole and of this node; how many others
// there are is told.
func ReadJournal(path, node string) (entries []Entry, spoilt int, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the journal: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var e Entry
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Node != node || (Use{Pool: e.Pool, Holder: e.Holder, Session: e.Session, Host: e.Host}).check() != nil {
			spoilt++
			continue
		}
		entries = append(entries, e)
	}
	return entries, spoilt, lines.Err()
}

const awaySQL = `SELECT coterie.license_away($1, $2, $3)`

// replay puts the journal into the database's ledger and empties it.
func (d *Desk) replay(ctx context.Context, incarnation int64) error {
	d.mu.Lock()
	j := d.journal
	d.journal.read = true
	d.mu.Unlock()
	if j.path == "" || j.read && j.lines == 0 {
		return nil
	}
	entries, spoilt, err := ReadJournal(j.path, d.Node)
	if err != nil || len(entries)+spoilt == 0 {
		return err
	}
	text, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	err = on(ctx, d.DB, func(conn *sqlx.Conn) error {
		_, err := conn.ExecContext(ctx, awaySQL, d.Node, incarnation, string(text))
		return err
	})
	if err != nil {
		d.mu.Lock()
		d.journal.read = false
		d.mu.Unlock()
		return err
	}
	d.log().Warn("granted while the database was away", "seats", len(entries), "unreadable", spoilt)
	// Whoever is granted a seat meanwhile has the lock, and his line.
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.journal.lines != j.lines {
		d.journal.read = false
		return nil // told again with the next, which is harmless
	}
	d.journal.lines = 0
	return os.Truncate(j.path, 0)
}
