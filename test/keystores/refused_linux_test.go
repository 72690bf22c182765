package keystores

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/test/cluster"
	"github.com/coterie-ha/coterie/test/served"
)

// What is good in itself, and would not do on one node, reaches none: the node says so
// before anything is changed.
func TestAVersionThatOneNodeCannotTakeReachesNone(t *testing.T) {
	p := newPair(t, "  hosts: [app.example.org]\n")
	b := p.nodes[1]
	elsewhere := served.Issue(t, nil, func(c *x509.Certificate) { c.DNSNames = []string{"www.example.org"} })
	for _, c := range []struct {
		name string
		data []byte // a usual one unless set
		harm func() error
		mend func() error
		want string
	}{
		{name: "for another host than the nodes'", data: holding(t, "tomcat", elsewhere), want: "not for app.example.org"},
		{name: "the properties are gone",
			harm: func() error { return os.Rename(b.properties, b.properties+".away") },
			mend: func() error { return os.Rename(b.properties+".away", b.properties) }, want: "no such file"},
		{name: "the file is open to everybody",
			harm: func() error { return os.Chmod(b.file, 0o644) }, mend: func() error { return os.Chmod(b.file, 0o600) }, want: "is open to everybody"},
		{name: "the row was altered",
			harm: func() error {
				p.Exec(`UPDATE coterie.keystore SET content = set_byte(content, 20, get_byte(content, 20) # 1) WHERE state = 'staged'`)
				return nil
			},
			want: "does not open with this key"},
		{name: "a copy is another's",
			harm: func() error {
				p.Exec(`UPDATE coterie.keystore_copy c SET key = o.key FROM coterie.keystore_copy o
					WHERE c.recipient = 'b' AND o.recipient = 'a' AND o.version = c.version AND c.version = (SELECT max(version) FROM coterie.keystore)`)
				return nil
			}, want: "does not open with this key"},
		{name: "it is sealed by a newer program",
			harm: func() error {
				p.Exec(`UPDATE coterie.keystore SET content = 'coterie seal 2' || E'\n'::bytea || content WHERE state = 'staged'`)
				return nil
			},
			want: "sealed by a newer version of coterie, in form"},
	} {
		data := c.data
		if data == nil {
			data = usual(t)
		}
		p.stage(data)
		p.Await(`SELECT count(*) = 2 FROM coterie.keystore_votes WHERE version = (SELECT max(version) FROM coterie.keystore)`)
		if c.harm != nil {
			if err := c.harm(); err != nil {
				t.Fatal(err)
			}
			// They voted before that: they look anew, as in a new life.
			p.Exec(`UPDATE coterie.keystore_vote SET incarnation = 0`)
		}
		out, code := p.command("activate", "-y")
		if code != 5 || !strings.Contains(out, "COT-923") || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want COT-923 and %q: %s", c.name, code, c.want, out)
		}
		p.untouched(c.name)
		if c.mend != nil {
			if err := c.mend(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, code := p.Run("-c", b.Config(), "keystore", "place", b.file, "-y"); code != 5 || !strings.Contains(out, "COT-935") {
		t.Errorf("placed by hand: exit code %d, want COT-935: %s", code, out)
	}
	p.untouched("placed by hand")
	if n := cluster.Get[int](p.Cluster, `SELECT count(*) FROM coterie.keystores WHERE state = 'active'`); n != 0 {
		t.Errorf("%d versions are active", n)
	}
	p.stage(usual(t))
	p.activate()
}

// The disk of one node is full: before anything is changed, and when its turn comes.
func TestAFullDiskKeepsTheOldKeystore(t *testing.T) {
	p := newPair(t, "")
	b := p.nodes[1]
	dir := filepath.Dir(b.file)
	kept, err := os.ReadFile(b.properties)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		if os.Getenv("COTERIE_CI") != "" {
			t.Fatalf("this machine lets us mount nothing: %v", err)
		}
		t.Skipf("NOT TESTED: this machine lets us mount nothing: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // the folder goes with the test
	p.write(b.file, p.before)
	p.write(b.properties, kept)
	ballast := filepath.Join(dir, "ballast")
	full := func() {
		t.Helper()
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = f.Write(make([]byte, 512))
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
		f.Close()
	}

	full()
	p.stage(usual(t))
	if out, code := p.command("activate", "-y"); code != 5 || !strings.Contains(out, "COT-923") || !strings.Contains(out, "no space left") {
		t.Errorf("full before the vote: exit code %d, want COT-923: %s", code, out)
	}
	p.untouched("full before the vote")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}

	p.stage(usual(t))
	p.Await(`SELECT count(*) = 2 FROM coterie.keystore_votes WHERE ok AND version = 2`)
	full()
	if out, code := p.command("activate", "-y"); code != 1 || !strings.Contains(out, "COT-924") || !strings.Contains(out, "no space left") {
		t.Errorf("full at its turn: exit code %d, want COT-924: %s", code, out)
	}
	p.untouched("full at its turn")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	p.command("activate", "-y")
	p.Await(`SELECT count(*) = 2 AND bool_and(ok) FROM coterie.certificates`)
	t.Logf("well again after %v", time.Since(begun).Round(time.Millisecond))
}
