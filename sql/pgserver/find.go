package pgserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Env names the environment variable that says where PostgreSQL's server
// binaries are. When it is set nowhere else is looked.
const Env = "COTERIE_PG_BIN"

// Binaries is a directory that holds initdb and postgres.
type Binaries struct {
	Dir string
}

// Path returns the full name of one of PostgreSQL's programs, such as pg_dump.
func (b Binaries) Path(program string) string { return filepath.Join(b.Dir, program) }

// NotFoundError says that no PostgreSQL server is installed where we looked.
type NotFoundError struct {
	Looked []string
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no PostgreSQL server binaries (initdb, postgres) in %s; install PostgreSQL or set %s to their directory",
		strings.Join(e.Looked, ", "), Env)
}

// Find looks for the server binaries: where $COTERIE_PG_BIN says, on PATH,
// where pg_config says, then where packages put them, the newest first.
func Find() (Binaries, error) {
	if dir := os.Getenv(Env); dir != "" {
		if complete(dir) {
			return Binaries{Dir: dir}, nil
		}
		return Binaries{}, &NotFoundError{Looked: []string{dir + " ($" + Env + ")"}}
	}
	looked := []string{"PATH"}
	if p, err := exec.LookPath("initdb"); err == nil {
		// A link on PATH may stand alone, without its siblings beside it.
		if p, err := filepath.EvalSymlinks(p); err == nil && complete(filepath.Dir(p)) {
			return Binaries{Dir: filepath.Dir(p)}, nil
		}
	}
	if out, err := exec.CommandContext(context.Background(), "pg_config", "--bindir").Output(); err == nil {
		dir := strings.TrimSpace(string(out))
		if complete(dir) {
			return Binaries{Dir: dir}, nil
		}
		looked = append(looked, dir+" (pg_config)")
	}
	for _, pattern := range places {
		looked = append(looked, pattern)
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return Binaries{}, fmt.Errorf("look in %s: %w", pattern, err)
		}
		newestFirst(dirs)
		for _, dir := range dirs {
			if complete(dir) {
				return Binaries{Dir: dir}, nil
			}
		}
	}
	return Binaries{}, &NotFoundError{Looked: looked}
}

// places are where packages put the server: Debian, the PGDG's RPMs, SUSE,
// Alpine, Homebrew, Postgres.app, FreeBSD and source builds, Windows.
var places = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/lib/postgresql*/bin",
	"/usr/libexec/postgresql*",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/pgsql/bin",
	"/usr/local/bin",
	`C:\Program Files\PostgreSQL\*\bin`,
}

func complete(dir string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		p, err := exec.LookPath(filepath.Join(dir, program))
		if err != nil || !filepath.IsAbs(p) {
			return false
		}
	}
	return true
}

// newestFirst orders directories by the first number in their names, so that
// 9.6 comes after 15.
func newestFirst(dirs []string) {
	slices.SortStableFunc(dirs, func(a, b string) int {
		switch va, vb := version(a), version(b); {
		case va > vb:
			return -1
		case va < vb:
			return 1
		}
		return strings.Compare(b, a)
	})
}

func version(dir string) float64 {
	isNumber := func(r rune) bool { return r == '.' || '0' <= r && r <= '9' }
	at := strings.IndexFunc(dir, func(r rune) bool { return '0' <= r && r <= '9' })
	if at < 0 {
		return 0
	}
	digits := dir[at:]
	if end := strings.IndexFunc(digits, func(r rune) bool { return !isNumber(r) }); end >= 0 {
		digits = digits[:end]
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0 // a number such as 9.6.2 counts as unknown, thus oldest
	}
	return v
}
