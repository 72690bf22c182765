package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// How a database, or our login there, may not fit this program.
var (
	ErrAbsent  = errors.New("the database has no coterie schema")
	ErrOlder   = errors.New("the database's schema is older than this program")
	ErrNewer   = errors.New("the database's schema is newer than this program")
	ErrChanged = errors.New("a migration was applied in another form")
	ErrNoRole  = errors.New("the login is not a member of coterie_agent, coterie_operator or coterie_reader")
)

// VersionError is a schema that this program cannot work with.
type VersionError struct {
	Kind     error // ErrAbsent, ErrOlder or ErrNewer
	Database int   // version of the schema
	Program  int   // version that this program was built for
}

func (e *VersionError) Error() string {
	if errors.Is(e.Kind, ErrAbsent) {
		return e.Kind.Error()
	}
	return fmt.Sprintf("%v: version %d, expected %d", e.Kind, e.Database, e.Program)
}

func (e *VersionError) Unwrap() error { return e.Kind }

// ChangedError is a migration whose text differs from what was applied.
type ChangedError struct {
	Migration          string
	Recorded, Embedded string // SHA-256; Embedded is empty for a migration that this program lacks
}

func (e *ChangedError) Error() string {
	if e.Embedded == "" {
		return fmt.Sprintf("migration %s: %v: this program does not have it", e.Migration, ErrChanged)
	}
	return fmt.Sprintf("migration %s: %v: recorded %.12s, here %.12s", e.Migration, ErrChanged, e.Recorded, e.Embedded)
}

func (e *ChangedError) Unwrap() error { return ErrChanged }

// Version is what a database's schema is.
type Version struct {
	Number int // highest migration applied
	Needs  int // programs built for this schema or a later one can work
}

// Check tells an agent whether it may work: the database has the schema that
// this program was built for, or a later one that still serves it.
func Check(ctx context.Context, db *sqlx.DB) (Version, error) { return Source{}.Check(ctx, db) }

const checkSQL = `
SELECT coalesce(max(v.version), 0), coalesce(max(v.needs), 0)
FROM coterie.schema_versions v`

// Check is like the function of that name.
func (s Source) Check(ctx context.Context, db *sqlx.DB) (Version, error) {
	p, err := s.plan()
	if err != nil {
		return Version{}, err
	}
	var v Version
	if err := db.QueryRowxContext(ctx, checkSQL).Scan(&v.Number, &v.Needs); err != nil {
		return Version{}, fmt.Errorf("check the schema's version: %w", reading(err, p))
	}
	switch {
	case v.Number == 0:
		return v, &VersionError{Kind: ErrAbsent, Program: p.latest()}
	case v.Number < p.latest():
		return v, &VersionError{Kind: ErrOlder, Database: v.Number, Program: p.latest()}
	case v.Needs > p.latest():
		return v, &VersionError{Kind: ErrNewer, Database: v.Number, Program: p.latest()}
	}
	return v, nil
}

// reading explains why the record of migrations could not be read.
func reading(err error, p plan) error {
	var said *pq.Error
	if !errors.As(err, &said) {
		return err
	}
	switch said.Code {
	case "42P01", "3F000": // table, schema
		return &VersionError{Kind: ErrAbsent, Program: p.latest()}
	case "42501":
		return fmt.Errorf("%w: %w", ErrNoRole, err)
	}
	return err
}

// Applied is a migration in the database's record.
type Applied struct {
	Version   int       `db:"version"`
	Name      string    `db:"name"`
	SHA256    string    `db:"sha256"`
	Needs     int       `db:"needs"`
	AppliedAt time.Time `db:"applied_at"`
	AppliedBy string    `db:"applied_by"`
}

// State compares a database with this program.
type State struct {
	Version     int       // of the database, 0 without a schema
	Latest      int       // that this program has
	Applied     []Applied // by version
	Pending     []string  // migrations that an upgrade would apply
	CodeCurrent bool      // functions and views are this program's
	Problem     error     // why an upgrade would refuse: ErrNewer, ErrChanged
}

// Status tells what an upgrade would do, and changes nothing.
func Status(ctx context.Context, db *sqlx.DB) (State, error) { return Source{}.Status(ctx, db) }

const statusSQL = `
SELECT v.version, v.name, v.sha256, v.needs, v.applied_at, v.applied_by
FROM coterie.schema_versions v
ORDER BY v.version`

// Status is like the function of that name.
func (s Source) Status(ctx context.Context, db *sqlx.DB) (State, error) {
	p, err := s.plan()
	if err != nil {
		return State{}, err
	}
	var recorded []Applied
	if err := db.SelectContext(ctx, &recorded, statusSQL); err != nil {
		var absent *VersionError
		if err := reading(err, p); !errors.As(err, &absent) {
			return State{}, fmt.Errorf("read the schema's versions: %w", err)
		}
	}
	st := State{Latest: p.latest(), CodeCurrent: p.codeCurrent(recorded)}
	for _, a := range recorded {
		if a.Version == 0 {
			continue
		}
		st.Version = a.Version
		st.Applied = append(st.Applied, a)
	}
	pending, err := p.pending(recorded)
	st.Problem = err
	for _, m := range pending {
		st.Pending = append(st.Pending, m.name)
	}
	return st, nil
}

// codeCurrent tells whether functions and views are this program's.
func (p plan) codeCurrent(recorded []Applied) bool {
	return slices.ContainsFunc(recorded, func(a Applied) bool { return a.Version == 0 && a.SHA256 == p.codeDigest() })
}

// pending compares the record with the files: what is applied must be ours to
// the byte, and what is not must come after it.
func (p plan) pending(recorded []Applied) ([]migration, error) {
	known := make(map[int]Applied)
	version := 0
	for _, a := range recorded {
		known[a.Version] = a
		version = max(version, a.Version)
	}
	if version > p.latest() {
		return nil, &VersionError{Kind: ErrNewer, Database: version, Program: p.latest()}
	}
	var pending []migration
	for _, m := range p.migrations {
		a, applied := known[m.version]
		switch {
		case applied && a.SHA256 != m.sha256:
			return nil, &ChangedError{Migration: m.name, Recorded: a.SHA256, Embedded: m.sha256}
		case !applied && m.version < version:
			return nil, fmt.Errorf("%s was never applied, though later ones were: %w", m.name, ErrChanged)
		case !applied:
			pending = append(pending, m)
		}
		delete(known, m.version)
	}
	for v, a := range known {
		if v != 0 {
			return nil, &ChangedError{Migration: a.Name, Recorded: a.SHA256}
		}
	}
	return pending, nil
}
