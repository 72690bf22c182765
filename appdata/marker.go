package appdata

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// Marker is the share's own word on whose it is: the file .coterie/cluster.json.
type Marker struct {
	Cluster    string    `json:"cluster"`
	ID         string    `json:"id"`         // the cluster's identity in its database
	Generation int64     `json:"generation"` // rises when a migration or restore makes the tree another one
	Created    time.Time `json:"created"`    // for people; nothing is decided by it
}

const (
	dirName    = ".coterie"
	markerName = "cluster.json"
	nodesName  = "nodes"
	readmeName = "README"

	maxMarker = 64 << 10
)

const readme = `This folder belongs to the cluster named in cluster.json. By it the nodes know
that the shared file system is really there, and really theirs. Without it they
treat the share as not mounted. Leave it out of clean-up scripts.
`

// ErrNoMarker says that nothing marks the folder as a cluster's.
var ErrNoMarker = errors.New("no marker")

// ForeignError says that the folder belongs to another cluster.
type ForeignError struct {
	Path  string
	Found Marker
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%q belongs to cluster %s (%s)", e.Path, e.Found.Cluster, e.Found.ID)
}

// ReadMarker reads the marker of the folder at path. The error is ErrNoMarker
// only when the folder answered and has none.
func ReadMarker(path string) (Marker, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return Marker{}, err
	}
	m, err := readMarker(root)
	if err = errors.Join(err, root.Close()); err != nil {
		return Marker{}, fmt.Errorf("marker of %q: %w", path, err)
	}
	return m, nil
}

func readMarker(root *os.Root) (Marker, error) {
	data, err := readSmall(root, dirName, markerName, maxMarker)
	if errors.Is(err, fs.ErrNotExist) {
		return Marker{}, ErrNoMarker
	}
	if err != nil {
		return Marker{}, err
	}
	return parseMarker(data)
}

func parseMarker(data []byte) (Marker, error) {
	var m Marker
	if err := json.Unmarshal(data, &m); err != nil {
		return Marker{}, &damagedError{err}
	}
	if err := m.check(); err != nil {
		return Marker{}, &damagedError{err}
	}
	return m, nil
}

// damagedError says that there is something in the marker's place that names no cluster.
type damagedError struct{ cause error }

func (e *damagedError) Error() string { return "cannot be understood: " + e.cause.Error() }
func (e *damagedError) Unwrap() error { return e.cause }

func (m Marker) check() error {
	for name, value := range map[string]string{"cluster": m.Cluster, "id": m.ID} {
		if value == "" || len(value) > 200 || strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("%s is %.40q", name, value)
		}
	}
	if m.Generation < 1 {
		return fmt.Errorf("generation is %d", m.Generation)
	}
	return nil
}

// CreateMarker makes the existing folder root the cluster's. A folder that is
// this cluster's already is left as it is; one of another cluster is left
// alone with a *ForeignError, also when both come at the same moment.
func CreateMarker(root string, m Marker) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("mark %q: %w", root, err)
	}
	// Never MkdirAll: the folder of an unmounted share must not be made up.
	for _, dir := range []string{dirName, filepath.Join(dirName, nodesName)} {
		if err := mkdirLike(root, filepath.Join(root, dir)); err != nil {
			return fmt.Errorf("mark %q: %w", root, err)
		}
	}
	err := atomicfile.Create(filepath.Join(root, dirName, readmeName), []byte(readme), 0o644)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("mark %q: %w", root, err)
	}
	err = atomicfile.Create(filepath.Join(root, dirName, markerName), m.text(), 0o644)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("mark %q: %w", root, err)
	}
	found, err := ReadMarker(root)
	if err != nil {
		return fmt.Errorf("mark %q: %w", root, err)
	}
	if found.ID != m.ID {
		return &ForeignError{Path: root, Found: found}
	}
	return nil
}

// AdvanceMarker raises the generation of this cluster's folder. It never
// lowers it and never touches another cluster's marker. Two callers of one
// cluster must be kept apart by a lease.
func AdvanceMarker(root string, m Marker) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("mark %q: %w", root, err)
	}
	found, err := ReadMarker(root)
	switch {
	case err != nil:
		return err
	case found.ID != m.ID:
		return &ForeignError{Path: root, Found: found}
	case found.Generation > m.Generation:
		return fmt.Errorf("mark %q: generation %d is there already, asked for %d", root, found.Generation, m.Generation)
	case found.Generation == m.Generation:
		return nil
	}
	return atomicfile.Write(filepath.Join(root, dirName, markerName), m.text(), 0o644)
}

func (m Marker) text() []byte {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic(err) // strings, a number and a time of our own making
	}
	return append(text, '\n')
}

// mkdirLike makes a directory in which may write whoever may write in root.
func mkdirLike(root, dir string) error {
	info, err := os.Stat(root)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, info.Mode().Perm()); errors.Is(err, fs.ErrExist) {
		return realDir(dir)
	} else if err != nil {
		return err
	}
	if err := os.Chmod(dir, info.Mode().Perm()|0o700); err != nil {
		return err
	}
	// Only root may give files away; as anybody else we are the owner that matters.
	if err := chownLike(dir, info); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// realDir refuses a symbolic link that somebody put where a directory of ours belongs.
func realDir(dir string) error {
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%q: not a directory", dir)
	}
	return err
}
