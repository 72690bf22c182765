package schema

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed bootstrap.sql grants.sql migrations/*.sql functions/*.sql views/*.sql
var embedded embed.FS

// Source is a tree of SQL files as this package holds one; another stands in
// for it in tests of the upgrade itself. The zero value is the embedded one.
type Source struct {
	FS fs.FS
}

// file is one SQL file.
type file struct {
	name   string // with its directory
	text   string
	sha256 string
}

// migration is a file that is applied once.
type migration struct {
	file
	version int
	needs   int // lowest version that programs must know to work after it
}

// plan is all that a database should have.
type plan struct {
	bootstrap, grants file
	migrations        []migration // by version
	code              []file      // functions, then views
}

var (
	migrationName = regexp.MustCompile(`^([0-9]{4})_[a-z0-9_]+\.sql$`)
	needsLine     = regexp.MustCompile(`^-- needs ([0-9]+)\n`)
)

func (s Source) fs() fs.FS {
	if s.FS == nil {
		return embedded
	}
	return s.FS
}

func (s Source) plan() (plan, error) {
	var p plan
	var errs [5]error
	p.bootstrap, errs[0] = s.read("bootstrap.sql")
	p.grants, errs[1] = s.read("grants.sql")
	functions, err := s.readAll("functions")
	errs[2] = err
	views, err := s.readAll("views")
	errs[3] = err
	p.code = inOrder(slices.Concat(functions, views))
	p.migrations, errs[4] = s.readMigrations()
	if err := errors.Join(errs[:]...); err != nil {
		return plan{}, fmt.Errorf("read the SQL files: %w", err)
	}
	return p, nil
}

// inOrder puts each file behind those that its first lines name. What stands
// before its cause all the same is refused by the database.
func inOrder(files []file) []file {
	var ordered []file
	for waiting := files; len(waiting) > 0; {
		ready := slices.IndexFunc(waiting, func(f file) bool {
			return !slices.ContainsFunc(waiting, func(other file) bool { return f.isAfter(other.name) })
		})
		ready = max(0, ready)
		ordered = append(ordered, waiting[ready])
		waiting = slices.Delete(slices.Clone(waiting), ready, ready+1)
	}
	return ordered
}

func (f file) isAfter(name string) bool {
	for line := range strings.Lines(f.text) {
		if !strings.HasPrefix(line, "-- after ") {
			return false
		}
		if line == "-- after "+name+"\n" {
			return true
		}
	}
	return false
}

func (s Source) readMigrations() ([]migration, error) {
	files, err := s.readAll("migrations")
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, f := range files {
		name := migrationName.FindStringSubmatch(path.Base(f.name))
		if name == nil {
			return nil, fmt.Errorf("%s is not named like 0001_words.sql", f.name)
		}
		version, err := strconv.Atoi(name[1])
		if err != nil || version == 0 || len(all) > 0 && all[len(all)-1].version == version {
			return nil, fmt.Errorf("%s: its number is 0 or given twice", f.name)
		}
		m := migration{file: f, version: version, needs: version}
		if line := needsLine.FindStringSubmatch(f.text); line != nil {
			if m.needs, err = strconv.Atoi(line[1]); err != nil || m.needs > version {
				return nil, fmt.Errorf("%s needs more than itself", f.name)
			}
		}
		all = append(all, m)
	}
	return all, nil
}

func (s Source) readAll(dir string) ([]file, error) {
	names, err := fs.Glob(s.fs(), dir+"/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var files []file
	for _, name := range names {
		f, err := s.read(name)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func (s Source) read(name string) (file, error) {
	text, err := fs.ReadFile(s.fs(), name)
	if err != nil {
		return file{}, err
	}
	return file{name: name, text: string(text), sha256: digest(text)}, nil
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// latest is the version of a database that has all migrations.
func (p plan) latest() int {
	if len(p.migrations) == 0 {
		return 0
	}
	return p.migrations[len(p.migrations)-1].version
}

// codeDigest stands for the functions and views as a whole.
func (p plan) codeDigest() string {
	var all []byte
	for _, f := range append(slices.Clone(p.code), p.grants) {
		all = append(all, f.name+" "+f.sha256+"\n"...)
	}
	return digest(all)
}
