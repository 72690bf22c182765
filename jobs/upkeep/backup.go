package upkeep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// Backups is a folder of backups of one database.
type Backups struct {
	Folder   string
	Database string   // what its files are named for
	Program  string   // pg_dump
	Restore  string   // pg_restore, which reads each backup once more; empty: its digest alone is compared
	Args     []string // of pg_dump: the connection, without a password, and what is backed up
	Env      []string // of it, such as PGPASSFILE
	Keep     int      // how many stay, the newest

	// Expected is about how many bytes of the database there are, to reckon progress.
	Expected int64
	// Progress is told how far it has come.
	Progress func(percent int, what string)
	// Fence tells whether the backup may still have its name, and older ones be deleted.
	Fence func(context.Context) error
}

// Note is what stands beside a backup, in a file of its name and ".json".
type Note struct {
	File     string    `json:"file"`
	Database string    `json:"database"`
	DueAt    time.Time `json:"due_at"`
	TakenAt  time.Time `json:"taken_at"`
	Node     string    `json:"node"`
	Token    int64     `json:"token"`
	Size     int64     `json:"size"`
	SHA256   string    `json:"sha256"`
	Program  string    `json:"program"`
	Objects  int       `json:"objects,omitempty"` // that pg_restore found in it
}

const (
	extension = ".dump"
	noted     = ".json"
	layout    = "20060102T150405.999999Z" // requests are no slots, and come within one second
)

// Take makes a backup. A slot that has one is not backed up once more. The token is
// part of the name: whoever lost the lease meanwhile replaces nobody's file.
func (b Backups) Take(ctx context.Context, n Note) (Note, error) {
	if err := os.MkdirAll(b.Folder, 0o750); err != nil {
		return n, fmt.Errorf("backup: %w", err)
	}
	slot := b.Database + "-" + n.DueAt.UTC().Format(layout) + "-"
	names, err := b.All()
	if err != nil {
		return n, err
	}
	if at := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, slot) }); at >= 0 {
		name := filepath.Join(b.Folder, names[at])
		had, err := Read(name + noted)
		if err != nil {
			return n, err
		}
		return had, b.verify(ctx, &had, name)
	}
	n.File, n.Database = fmt.Sprintf("%s%d%s", slot, n.Token, extension), b.Database
	name := filepath.Join(b.Folder, n.File)
	if err := b.clear(); err != nil {
		return n, err
	}
	version, err := b.said(ctx, b.Program, "--version")
	if err != nil {
		return n, err
	}
	n.Program = strings.TrimSpace(version)
	err = atomicfile.WriteFrom(name, 0o640, func(w io.Writer) error {
		sum := sha256.New()
		size, err := b.dump(ctx, io.MultiWriter(w, sum))
		if err != nil {
			return err
		}
		n.Size, n.SHA256 = size, hex.EncodeToString(sum.Sum(nil))
		b.tell(90, "writing it through")
		return b.Fence(ctx)
	})
	if err != nil {
		return n, err
	}
	b.tell(95, "reading it back")
	if err := b.verify(ctx, &n, name); err != nil {
		return n, errors.Join(err, os.Remove(name))
	}
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return n, err
	}
	if err := b.Fence(ctx); err != nil {
		return n, errors.Join(err, os.Remove(name))
	}
	return n, atomicfile.Write(name+noted, append(text, '\n'), 0o640)
}

// Read reads a note.
func Read(name string) (n Note, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal(text, &n); err != nil {
		return n, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

// verify reads a backup back, as it is on the share.
func (b Backups) verify(ctx context.Context, n *Note, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("verify the backup: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return fmt.Errorf("verify the backup: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != n.SHA256 || size != n.Size {
		return fmt.Errorf("verify the backup %s: it has %d bytes with digest %s, and was written with %d and %s", name, size, got, n.Size, n.SHA256)
	}
	if b.Restore == "" {
		return nil
	}
	list, err := b.said(ctx, b.Restore, "--list", name)
	if err != nil {
		return fmt.Errorf("verify the backup %s: %w", name, err)
	}
	n.Objects = 0
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line != "" && line[0] != ';' {
			n.Objects++
		}
	}
	return nil
}

// Expire deletes the oldest backups beyond Keep, each with its note first: what has no note is none.
func (b Backups) Expire(ctx context.Context) (gone []string, err error) {
	names, err := b.All()
	if err != nil || len(names) <= b.Keep {
		return nil, err
	}
	if err := b.Fence(ctx); err != nil {
		return nil, err
	}
	for _, name := range names[:len(names)-b.Keep] {
		path := filepath.Join(b.Folder, name)
		if err := errors.Join(os.Remove(path+noted), os.Remove(path)); err != nil {
			return gone, fmt.Errorf("delete an old backup: %w", err)
		}
		gone = append(gone, name)
	}
	return gone, nil
}

// All are the backups that are whole, oldest first.
func (b Backups) All() ([]string, error) {
	found, err := os.ReadDir(b.Folder)
	if err != nil {
		return nil, fmt.Errorf("list the backups: %w", err)
	}
	var names []string
	for _, d := range found {
		if name, ok := strings.CutSuffix(d.Name(), noted); ok && d.Type().IsRegular() && b.ours(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names) // by time, as they are named
	return names, nil
}

// ours tells whether a file is named as a backup of this database.
func (b Backups) ours(name string) bool {
	rest, ok := strings.CutPrefix(name, b.Database+"-")
	when, token, _ := strings.Cut(strings.TrimSuffix(rest, extension), "-")
	_, noTime := time.Parse(layout, when)
	_, noToken := strconv.ParseInt(token, 10, 64)
	return ok && noTime == nil && noToken == nil && strings.HasSuffix(name, extension)
}

// clear removes what former attempts left half done. No other attempt goes on: its
// lease would be this one's.
func (b Backups) clear() error {
	found, err := os.ReadDir(b.Folder)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, d := range found {
		name := d.Name()
		half := strings.HasPrefix(name, "."+b.Database+"-") && strings.Contains(name, extension+".tmp-")
		if !half && b.ours(name) {
			_, err := os.Stat(filepath.Join(b.Folder, name+noted))
			half = errors.Is(err, fs.ErrNotExist)
		}
		if half {
			if err := os.Remove(filepath.Join(b.Folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove half a backup: %w", err)
			}
		}
	}
	return nil
}

func (b Backups) tell(percent int, what string) {
	if b.Progress != nil {
		b.Progress(percent, what)
	}
}
