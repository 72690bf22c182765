//go:build linux

package shares

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

var (
	many = flag.Int("files", 2000, "files in the tree that the program scans; its figures are of 1,000,000")
	each = flag.Int("each", 100, "how many of them are in one folder")
)

// scanned is what one run of the program took.
type scanned struct {
	whole  time.Duration
	memory int64 // resident at most, MiB
	says   struct {
		Entries int64
		Changes int64
		Read    int64 `json:"read_bytes"`
		TookMS  int64 `json:"took_ms"`
	}
}

// scan runs the program as an administrator does.
func scan(t *testing.T, c *cluster.Cluster) (s scanned) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.Program(), "-c", filepath.Join(c.Dir, "admin.yaml"), "appdata", "scan", "-o", "json")
	begun := time.Now()
	out, err := cmd.Output()
	s.whole = time.Since(begun)
	if failed, is := errors.AsType[*exec.ExitError](err); is {
		t.Fatalf("scan: %v\n%s", err, failed.Stderr)
	}
	if err = errors.Join(err, json.Unmarshal(out, &s.says)); err != nil {
		t.Fatal(err)
	}
	s.memory = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	return s
}

// otherTreeSQL has a node hold the same files, but for one folder.
const otherTreeSQL = `
WITH t AS (
    INSERT INTO coterie.appdata_tree (name, scan, whole_at) VALUES ('node/other', 1, coterie.clock()) RETURNING id
), s AS (
    SELECT id FROM coterie.appdata_tree WHERE name = 'share'
), f AS (
    INSERT INTO coterie.appdata_folder (tree, path, content, exact, files, bytes, holes, error, scan, moved)
    SELECT t.id, f.path, f.content, CASE WHEN f.path IN ('.', 'd0000') THEN sha256('other') ELSE f.exact END, f.files, f.bytes, f.holes, f.error, 1, 1
    FROM coterie.appdata_folder f, t, s WHERE f.tree = s.id RETURNING path
)
INSERT INTO coterie.appdata_page (tree, folder, first, entries)
SELECT t.id, p.folder, p.first, CASE WHEN p.folder = 'd0000' THEN regexp_replace(p.entries, '\tf\tshared\t\d+', E'\tf\tshared\t777') ELSE p.entries END
FROM coterie.appdata_page p, t, s WHERE p.tree = s.id`

func TestTheProgramScansManyFiles(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	share := filepath.Join(c.Dir, "share")
	for i := 0; i < *many; i++ {
		dir := filepath.Join(share, fmt.Sprintf("d%04d", i / *each))
		if i%*each == 0 {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%02d", i%*each)), fmt.Append(nil, "content of ", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rest(t, share, time.Hour)
	first := scan(t, c)
	again := scan(t, c)
	if err := os.WriteFile(filepath.Join(share, "d0000/file07"), []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	changed := scan(t, c)
	if first.says.Entries < int64(*many) || again.says.Changes != 0 || changed.says.Changes != 1 {
		t.Errorf("scans found %+v, %+v, %+v", first.says, again.says, changed.says)
	}
	for what, s := range map[string]scanned{"first": first, "nothing changed": again, "one file changed": changed} {
		t.Logf("FIGURE %d files, %s: the program took %v (%d ms by itself), %d MiB", *many, what, s.whole.Round(time.Millisecond), s.says.TookMS, s.memory)
	}
	c.Exec(otherTreeSQL)
	c.Exec(`ANALYZE coterie.appdata_folder, coterie.appdata_page`)
	begun := time.Now()
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.appdata_diff('share', 'node/other')`); n == 0 {
		t.Error("nothing differs")
	}
	t.Logf("FIGURE two manifests of %d files compared in SQL: %v", *many, time.Since(begun).Round(time.Millisecond))
}

// rest makes all files look as if nobody had written them for a while.
func rest(t *testing.T, dir string, ago time.Duration) {
	t.Helper()
	at := time.Now().Add(-ago)
	if err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Chtimes(path, at, at)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
