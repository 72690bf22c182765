package keystores

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
	"github.com/coterie-ha/coterie/test/served"
)

var long = flag.Bool("long", false, "with the interval that nodes have unless it is set, a minute")

// soon is within what time a change of a local file is told.
const soon = 5 * time.Second

// Somebody changes by hand what is in place, or the server goes on with an older
// certificate: that is a finding within five seconds, and none when it is mended.
func TestWhatIsChangedByHandIsToldWithinFiveSeconds(t *testing.T) {
	every := "  check_every: 1s\n"
	if *long {
		every = "" // as it is unless somebody sets it
	}
	p := newPair(t, every)
	p.stage(usual(t))
	p.activate()
	p.stage(usual(t))
	p.activate()
	p.Await(`SELECT count(*) = 2 AND bool_and(ok) FROM coterie.certificates`)
	a := p.nodes[0]
	right, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	older, err := served.Load(a.file)
	if err != nil {
		t.Fatal(err)
	}
	leaf := served.Issue(t, nil, nil)
	renamed := holding(t, "jetty", leaf)
	p.stage(usual(t)) // the one that the server shows will be an older one
	p.activate()
	was := right
	if right, err = os.ReadFile(a.file); err != nil {
		t.Fatal(err)
	}
	properties := []byte("tomcat.key.alias=tomcat\n")
	for _, c := range []struct {
		name string
		harm func()
		mend func()
		want string
	}{
		{"another file", func() { p.write(a.file, was) }, func() { p.write(a.file, right) }, "the file is not that of version 3"},
		{"half of the file", func() { p.write(a.file, right[:len(right)/2]) }, func() { p.write(a.file, right) }, "damaged"},
		{"a file without the alias", func() { p.write(a.file, renamed) }, func() { p.write(a.file, right) }, `no such alias: "tomcat"`},
		{"no file", func() {
			if err := os.Remove(a.file); err != nil {
				t.Fatal(err)
			}
		}, func() { p.write(a.file, right) }, "no such file"},
		{"the alias vanished from the properties", func() { p.write(a.properties, []byte("a=b\n")) }, func() { p.write(a.properties, properties) },
			"tomcat.key.alias is not in "},
		{"another alias in the properties", func() { p.write(a.properties, []byte("tomcat.key.alias=jetty\n")) }, func() { p.write(a.properties, properties) },
			" is jetty, and version 3 has the alias tomcat"},
		{"the server shows an older certificate", func() { a.stuck.Store(older) }, func() { a.stuck.Store(nil) }, "shows another certificate than that of version 3"},
	} {
		begun := time.Now()
		c.harm()
		p.Await(`SELECT count(*) = 1 FROM coterie.findings WHERE code = 'COT-926' AND subject = 'a'`)
		took := time.Since(begun)
		text := cluster.Get[string](p.Cluster, `SELECT text FROM coterie.findings WHERE code = 'COT-926' AND subject = 'a'`)
		t.Logf("%s: told after %v: %s", c.name, took.Round(10*time.Millisecond), text)
		if took > soon {
			t.Errorf("%s: it took %v", c.name, took)
		}
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: %q is not in %q", c.name, c.want, text)
		}
		c.mend()
		p.Await(`SELECT count(*) = 0 FROM coterie.findings WHERE code = 'COT-926'`)
	}
}
