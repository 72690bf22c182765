//go:build linux

package shares

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/test/cluster"
	"github.com/coterie-ha/coterie/test/shares/faulty"
)

func TestMain(m *testing.M) {
	faulty.Main()
	cluster.Main(m)
}

const stateOf = `SELECT coalesce((SELECT state::text FROM coterie.storages WHERE node = $1), '')`

// mounts is a folder below which the test may mount, in all places at once: the
// agents see what is mounted later. Where that is forbidden nothing can stand in
// for a mount.
func mounts(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		if os.Getenv("COTERIE_CI") != "" {
			t.Fatalf("this machine lets us mount nothing: %v", err)
		}
		t.Skipf("NOT TESTED: this machine lets us mount nothing: %v", err)
	}
	unmount(t, dir)
}

func bind(t *testing.T, from, to string) {
	t.Helper()
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("mount %s on %s: %v", from, to, err)
	}
}

func unmount(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Fatalf("unmount %s: %v", dir, err)
	}
}

// copyOf is what a replica or a snapshot is: the same files, another folder. Nodes that are at
// work write files there and give them other names: a copy that met one is made anew.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	const tries = 20
	for try := 1; ; try++ {
		to := filepath.Join(t.TempDir(), "copy")
		out, err := exec.CommandContext(t.Context(), "cp", "-a", dir, to).CombinedOutput()
		if err == nil {
			return to
		}
		if try == tries || !strings.Contains(string(out), "No such file") {
			t.Fatalf("cp: %v\n%s", err, out)
		}
	}
}

func TestNodesOfOneShareOwnAllOfIt(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	for _, name := range []string{"a", "b", "c"} {
		c.Add(name, cluster.NodeOptions{}).Start()
	}
	c.AwaitReady()
	c.Await(`SELECT count(*) = 3 AND bool_and(owns_pct = 100 AND state = 'OK' AND unseen = '{}') FROM coterie.storages`)
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.sights WHERE mutual`); n != 6 {
		t.Errorf("%d sights of 6 are mutual", n)
	}
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.findings WHERE code BETWEEN 'COT-300' AND 'COT-399'`); n != 0 {
		t.Errorf("%d findings", n)
	}
}

// A copy has the marker, and all that the others wrote until it was made.
func TestANodeOnACopyOfTheShareIsNotReady(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	c.Add("a", cluster.NodeOptions{}).Start()
	c.AwaitReady()
	begun := time.Now()
	c.Add("b", cluster.NodeOptions{Share: copyOf(t, c.Nodes[0].Share())}).Start()
	c.Await(`SELECT coalesce((SELECT state IN ('STALE', 'WRONG_SHARE') FROM coterie.storages WHERE node = 'b'), false)`)
	// The node reports what it says of itself a moment later; that counts, too.
	c.Await(`SELECT coalesce((SELECT message LIKE '%a wrote long ago%' FROM coterie.nodes WHERE name = 'b'), false)`)
	took := time.Since(begun)
	t.Logf("named after %v: %s", took.Round(10*time.Millisecond), cluster.Get[string](c, `SELECT text FROM coterie.findings WHERE subject = 'b' AND code LIKE 'COT-30%'`))
	if took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	got := cluster.All[string](c, `SELECT concat_ws(' ', name, state, owns_pct) FROM coterie.nodes ORDER BY name`)
	if strings.Join(got, ", ") != "a ready 100, b joining 0" {
		t.Errorf("got %v\n%s", got, c.Picture())
	}
}

// The wrong export is mounted over the right one under a node at work, an older
// copy, and nothing at all; then the right one comes back.
func TestAnotherShareUnderANodeIsNamed(t *testing.T) {
	mounts(t)
	c := cluster.Start(t, cluster.Options{})
	point := filepath.Join(c.Dir, "mnt")
	if err := os.Mkdir(point, 0o755); err != nil {
		t.Fatal(err)
	}
	a := c.Add("a", cluster.NodeOptions{})
	bind(t, a.Share(), point)
	t.Cleanup(func() {
		for unix.Unmount(point, unix.MNT_DETACH) == nil { // whatever lies over another
		}
	})
	a.Start()
	c.AwaitReady()
	b := c.Add("b", cluster.NodeOptions{Share: point})
	b.Start()
	c.AwaitReady()
	c.Await(`SELECT count(*) = 2 AND bool_and(owns_pct = 100) FROM coterie.storages`)

	older := copyOf(t, a.Share())
	was, err := appdata.ReadWord(older, "b")
	if err != nil {
		t.Fatal(err)
	}
	for now := was; now == was; c.Elapse(50 * time.Millisecond) {
		if now, err = appdata.ReadWord(a.Share(), "b"); err != nil {
			t.Fatal(err)
		}
	}
	for what, dir := range map[string]string{"an older copy": older, "an empty folder": t.TempDir()} {
		begun := time.Now()
		bind(t, dir, point)
		c.Await(`SELECT state IN ('WRONG_SHARE', 'NOT_MOUNTED') AND NOT marker_ok FROM coterie.storages WHERE node = 'b'`)
		took := time.Since(begun)
		t.Logf("%s: named after %v: %s", what, took.Round(10*time.Millisecond), cluster.Get[string](c, `SELECT reason FROM coterie.storages WHERE node = 'b'`))
		if took > 10*time.Second {
			t.Errorf("%s: it took %v", what, took)
		}
		if state := cluster.Get[string](c, stateOf, "a"); state != "OK" {
			t.Errorf("%s: a is %s", what, state)
		}
		if code := cluster.Get[int](c, `SELECT count(*) FROM coterie.findings WHERE subject = 'b' AND code IN ('COT-301', 'COT-304')`); code != 1 {
			t.Errorf("%s: no finding", what)
		}
		// Nobody may take what it lacks for deleted, though an administrator has it scanned.
		if out, code := c.Run("-c", b.Config(), "appdata", "scan"); code == 0 || !strings.Contains(out, "COT-30") {
			t.Errorf("%s is scanned: exit %d\n%s", what, code, out)
		}
		unmount(t, point)
		c.Await(`SELECT bool_and(state = 'OK' AND owns_pct = 100) FROM coterie.storages`)
	}
}
