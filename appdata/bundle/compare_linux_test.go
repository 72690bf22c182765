package bundle

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/appdata"
)

// plant makes a tree of files with these contents; a name that ends in a slash is an
// empty folder, a content that begins with -> a link.
func plant(t *testing.T, root string, files map[string]string) string {
	t.Helper()
	for name, content := range files {
		at := filepath.Join(root, name)
		dir := filepath.Dir(at)
		if strings.HasSuffix(name, "/") {
			dir = at
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir == at {
			continue
		}
		var err error
		if target, link := strings.CutPrefix(content, "->"); link {
			err = os.Symlink(target, at)
		} else {
			err = os.WriteFile(at, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func scanned(t *testing.T, c Comparison, root string) Column {
	t.Helper()
	m, err := c.Scan(t.Context(), appdata.Scanner{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	return Column{Name: filepath.Base(root), Dir: m.Dir}
}

// compared tells the rows: path, class, letters, pattern. What is told must be the same
// when nothing but what a sieve has left is scanned.
func compared(t *testing.T, c Comparison, trees ...map[string]string) []string {
	t.Helper()
	roots := make([]string, len(trees))
	for i, files := range trees {
		roots[i] = plant(t, filepath.Join(t.TempDir(), "tree"), files)
	}
	told := toldOf(t, c, roots)
	var err error
	if c.Sieve, err = c.Profile.Sift(t.Context(), Sifting{Roots: roots, Modes: c.Modes, Workers: 3}); err != nil {
		t.Fatal(err)
	}
	if sifted := toldOf(t, c, roots); !slices.Equal(sifted, told) {
		t.Errorf("with a sieve told\n%s\nwithout\n%s", strings.Join(sifted, "\n"), strings.Join(told, "\n"))
	}
	return told
}

func toldOf(t *testing.T, c Comparison, roots []string) (told []string) {
	t.Helper()
	c.Columns = append(slices.Clone(c.Columns), make([]Column, len(roots)-len(c.Columns))...)
	for i, root := range roots {
		tier := c.Columns[i].Tier
		c.Columns[i] = scanned(t, c, root)
		c.Columns[i].Tier = tier
	}
	for _, row := range c.Rows() {
		var line strings.Builder
		line.WriteString(row.Path + " " + string(row.Class) + " ")
		for _, cell := range row.Cells {
			line.WriteString(string(cell.Letter))
		}
		if row.Expected {
			line.WriteString(" expected")
		}
		if row.Pattern != "" {
			line.WriteString(" " + row.Pattern)
		}
		told = append(told, line.String())
	}
	return told
}

func small() Profile {
	return Profile{
		Name: "small", Include: []string{"conf", "lib/*.jar"}, Exclude: []string{"*.log"}, Secret: []string{"*.keystore"},
		Host: []string{"license.*"}, Tier: []string{"persist.properties"}, Merge: ports("conf/server.xml"),
	}
}

const tomcat = `<Server port="8005"><Service><Connector port="8080" maxThreads="200"/></Service></Server>`

func TestThreeTreesAreTold(t *testing.T) {
	c := Comparison{Profile: small(), Columns: []Column{{Tier: "dev"}, {Tier: "prod"}, {Tier: "prod"}}}
	dev := map[string]string{
		"conf/server.xml": tomcat, "conf/a.xml": "1", "conf/persist.properties": "db=dev", "conf/license.dat": "L1", "lib/x.jar": "x", "lib/custom/one.jar": "1",
		"lib/custom/two.jar": "2", "conf/tls.keystore": "k1", "conf/x.log": "here", "conf/link": "->a.xml", "tools/a.sh": "a", "tools/b.sh": "b", "tools/same.txt": "s",
	}
	primary := map[string]string{
		"conf/server.xml": strings.Replace(tomcat, "8080", "9090", 1), "conf/a.xml": "2", "conf/persist.properties": "db=prod", "conf/license.dat": "L2", "lib/x.jar": "x",
		"conf/tls.keystore": "k2", "conf/link": "->b.xml", "tools/same.txt": "s", "conf/empty/": "",
	}
	secondary := map[string]string{
		"conf/server.xml": strings.Replace(tomcat, "200", "300", 1), "conf/a.xml": "2", "conf/persist.properties": "db=prod", "conf/license.dat": "L3",
		"conf/tls.keystore": "k2", "conf/link": "->b.xml", "tools/same.txt": "s", "tools/a.sh": "other", "tools/b.sh": "b", "lib/x.jar/in.txt": "a folder",
	}
	want := []string{
		"conf/a.xml shared abb",
		"conf/empty shared -a-",
		"conf/license.dat per_host abc expected",
		"conf/link shared abb",
		"conf/persist.properties tier_bound abb expected",
		"conf/server.xml field_merged aab",
		"conf/tls.keystore secret abb",
		"lib/custom/one.jar unbundled a-- lib/custom",
		"lib/custom/two.jar unbundled a-- lib/custom",
		"lib/x.jar shared aab",
		"lib/x.jar/in.txt shared --a",
		"tools/a.sh unbundled a-b tools/*.sh",
		"tools/b.sh unbundled a-a tools/*.sh",
	}
	if got := compared(t, c, dev, primary, secondary); !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatIsOfATierMustBeTheSameInIt(t *testing.T) {
	c := Comparison{Profile: small()}
	got := compared(t, c, map[string]string{"conf/persist.properties": "1"}, map[string]string{"conf/persist.properties": "2"})
	if want := []string{"conf/persist.properties tier_bound ab"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestEqualTreesTellNothing(t *testing.T) {
	files := map[string]string{"conf/a": "1", "lib/x.jar": "2", "other/b": "3", "empty/": ""}
	if got := compared(t, Comparison{Profile: small(), Modes: true}, files, files, files); len(got) > 0 {
		t.Errorf("told %q", got)
	}
}

func TestModesAreComparedWhenAsked(t *testing.T) {
	files := map[string]string{"conf/a": "1", "conf/sub/b": "2"}
	for _, name := range []string{"conf/a", "conf/sub"} {
		a, b := plant(t, t.TempDir(), files), plant(t, t.TempDir(), files)
		if err := os.Chmod(filepath.Join(b, name), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, modes := range []bool{false, true} {
			c := Comparison{Profile: small(), Modes: modes}
			plain := toldOf(t, c, []string{a, b})
			var err error
			if c.Sieve, err = c.Profile.Sift(t.Context(), Sifting{Roots: []string{a, b}, Modes: modes}); err != nil {
				t.Fatal(err)
			}
			sifted := toldOf(t, c, []string{a, b})
			var want []string
			if modes {
				want = []string{name + " shared ab"}
			}
			if !slices.Equal(plain, want) || !slices.Equal(sifted, want) {
				t.Errorf("modes %v: told %q, with a sieve %q; want %q", modes, plain, sifted, want)
			}
		}
	}
}

// What may not be read is never told as equal or gone.
func TestWhatCannotBeReadIsUnsure(t *testing.T) {
	c := Comparison{Profile: small()}
	got := compared(t, c, map[string]string{"conf/server.xml": "<Server"}, map[string]string{"conf/server.xml": tomcat})
	if want := []string{"conf/server.xml field_merged ?a"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// A pattern that is proposed takes in the file, and no file that is the same everywhere,
// has another class, or is not of its kind.
func TestAProposedPatternTakesInItsLikeAlone(t *testing.T) {
	a := map[string]string{
		"lib/x.jar": "1", "lib/note.txt": "1", "lib/old.cfg": "1", "lib/new.cfg": "1", "own/[1]*.txt": "1", "own/keys/my.keystore": "k", "own/keys/doc.md": "1",
		"deep/er/than/that/f": "1", "deep/stays": "1", "noext": "1", ".hidden": "1", "x.tar.gz": "1", "y.tar.gz": "1",
		"dirs/a.d": "1", "dirs/b.d": "1", "dirs/c.d/same": "1", "dirs/c.x": "1",
	}
	b := map[string]string{"lib/x.jar": "1", "lib/old.cfg": "1", "deep/stays": "1", "own/keys/my.keystore": "k", "own/keys/doc.md": "2", "own/[1]*.txt": "2", "dirs/c.d/same": "1"}
	c := Comparison{Profile: small()}
	got := map[string]string{}
	for _, line := range compared(t, c, a, b) {
		f := strings.Fields(line)
		if f[1] == string(Unbundled) {
			got[f[0]] = f[3]
		}
	}
	want := map[string]string{
		"lib/note.txt": "lib/note.txt", "lib/new.cfg": "lib/new.cfg", "own/[1]*.txt": `own/\[1]\*.txt`, "own/keys/doc.md": "own/keys/doc.md",
		"deep/er/than/that/f": "deep/er", "noext": "noext", ".hidden": ".hidden", "x.tar.gz": "*.gz", "y.tar.gz": "*.gz",
		"dirs/a.d": "dirs/a.d", "dirs/b.d": "dirs/b.d", "dirs/c.x": "dirs/c.x",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("proposed %v, want %v", got, want)
	}
	for name, pattern := range got {
		if !fits(pattern, name) && !fits(pattern, path.Dir(path.Dir(path.Dir(name)))) {
			t.Errorf("%s does not fit %s", pattern, name)
		}
	}
}

func TestTheBuiltInProfilesCanBeUsed(t *testing.T) {
	for _, name := range Profiles() {
		p, known := ProfileOf(name)
		if err := p.Check(); err != nil || !known {
			t.Errorf("%s: %v, %v", name, known, err)
		}
	}
	if _, known := ProfileOf("other"); known {
		t.Error("a profile that nobody made is known")
	}
}
