package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/appdata"
)

// exported makes a bundle of a tree.
func exported(t *testing.T, x Export) ([]byte, *Content) {
	t.Helper()
	content, err := x.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := x.Write(t.Context(), content, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), content
}

// listed makes a bundle of a tree that is read once.
func listed(t *testing.T, x Export) ([]byte, *Content) {
	t.Helper()
	x.Temp = t.TempDir()
	content, err := x.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := x.Write(t.Context(), content, &out); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(x.Temp); len(left) > 0 || err != nil {
		t.Errorf("left aside: %v, %v", left, err)
	}
	return out.Bytes(), content
}

// contents reads all of a bundle.
func contents(t *testing.T, text []byte) (*Reader, map[string]string) {
	t.Helper()
	r, err := Open(bytes.NewReader(text), Usual)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	found := map[string]string{}
	err = r.Each(t.Context(), func(e *Entry, content io.Reader) error {
		found[e.Path] = e.Kind.String()
		switch e.Kind {
		case appdata.Link:
			found[e.Path] = "->" + e.Target
		case appdata.File:
			text, err := io.ReadAll(content)
			found[e.Path] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, found
}

func installation(t *testing.T) string {
	t.Helper()
	return plant(t, filepath.Join(t.TempDir(), "tree"), map[string]string{
		"conf/server.xml": tomcat, "conf/app.xml": "<a/>", "conf/sub/deep/é.txt": "ü", "conf/persist.properties": "db=dev", "conf/license.dat": "L",
		"conf/tls.keystore": "k", "conf/x.log": "noise", "conf/link": "->sub/deep", "lib/x.jar": strings.Repeat("jar", 100_000), "lib/custom/own.jar": "no",
		"conf/empty/": "", "conf/" + strings.Repeat("long", 40) + ".txt": "long", "conf/zero": "", ".coterie/cluster.json": "ours", "lib/y.jar": "why",
	})
}

func fixed(t *testing.T, root string) {
	t.Helper()
	at := time.Unix(1_700_000_000, 0)
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.Type() == os.ModeSymlink {
			return err
		}
		return os.Chtimes(name, at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestABundleHasWhatTheProfileSays(t *testing.T) {
	root := installation(t)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	text, content := exported(t, Export{Root: root, Profile: small(), Tier: "dev", Version: "5.1", Key: key})
	r, got := contents(t, text)
	want := map[string]string{
		"conf": "folder", "conf/server.xml": tomcat, "conf/app.xml": "<a/>", "conf/sub": "folder", "conf/sub/deep": "folder", "conf/sub/deep/é.txt": "ü",
		"conf/persist.properties": "db=dev", "conf/link": "->sub/deep", "lib": "folder", "lib/x.jar": strings.Repeat("jar", 100_000), "conf/empty": "folder",
		"conf/" + strings.Repeat("long", 40) + ".txt": "long", "conf/zero": "", "lib/y.jar": "why",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("has %v, want %v", got, want)
	}
	if want := []Left{{"conf/license.dat", "per_host"}, {"conf/tls.keystore", "secret"}}; !slices.Equal(content.Left, want) {
		t.Errorf("left out %v, want %v", content.Left, want)
	}
	if r.Tier != "dev" || r.Version != "5.1" || r.Profile.Name != "small" || r.Entries != len(want) {
		t.Errorf("says %+v", r.Header)
	}
	if digest, err := content.Digest(); err != nil || digest != r.Digest {
		t.Errorf("digest %v, %v; want %v", digest, err, r.Digest)
	}
	if err := r.Believe([]ed25519.PublicKey{key.Public().(ed25519.PublicKey)}); err != nil {
		t.Error(err)
	}
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := errors.AsType[*Fault](r.Believe([]ed25519.PublicKey{other.Public().(ed25519.PublicKey)})); !ok || f.Kind != WrongKey {
		t.Errorf("believed by another key: %v", f)
	}
}

// Where the tree lies, when its folders were made, and how many processors there are
// changes nothing.
func TestTheSameFilesMakeTheSameBundle(t *testing.T) {
	a, b := installation(t), installation(t)
	fixed(t, a)
	fixed(t, b)
	if err := os.Chtimes(filepath.Join(b, "conf"), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	first, _ := exported(t, Export{Root: a, Profile: small(), Tier: "dev", Workers: 8})
	before := runtime.GOMAXPROCS(1)
	second, _ := exported(t, Export{Root: b, Profile: small(), Tier: "dev", Workers: 1})
	runtime.GOMAXPROCS(before)
	if !bytes.Equal(first, second) {
		t.Error("two bundles of the same files differ")
	}
	once, content := listed(t, Export{Root: a, Profile: small(), Tier: "dev", Workers: 3})
	if !bytes.Equal(first, once) {
		t.Error("it is another bundle when each file is read once")
	}
	r, _ := contents(t, once)
	if digest, err := content.Digest(); digest != r.Digest || err != nil {
		t.Errorf("digest %v, %v; want %v", digest, err, r.Digest)
	}
	if err := os.Chtimes(filepath.Join(b, "conf/app.xml"), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if third, _ := exported(t, Export{Root: b, Profile: small(), Tier: "dev"}); bytes.Equal(first, third) {
		t.Error("the time of a file is not in the bundle")
	}
}

// A bundle of more than a frame is cut at the same places whatever is written at once.
func TestALargeBundleIsReadAsItWasWritten(t *testing.T) {
	noise := make([]byte, frameSize+7)
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	root := plant(t, filepath.Join(t.TempDir(), "tree"), map[string]string{
		"conf/a": string(noise[:frameSize-2*tarBlock]), "conf/b": string(noise[:frameSize-100]), "conf/large": string(noise), "conf/m": string(noise[:1000]), "conf/zero": "",
		"conf/n": string(noise[:frameSize/2]), "conf/o": string(noise[:frameSize/2]), "conf/twice": string(noise) + string(noise),
	})
	text, _ := exported(t, Export{Root: root, Profile: small(), Tier: "dev"})
	_, got := contents(t, text)
	for name, want := range map[string]string{"conf/large": string(noise), "conf/o": string(noise[:frameSize/2]), "conf/twice": string(noise) + string(noise)} {
		if got[name] != want {
			t.Errorf("%s is read differently", name)
		}
	}
	if once, _ := listed(t, Export{Root: root, Profile: small(), Tier: "dev", Workers: 1}); !bytes.Equal(once, text) {
		t.Error("it is another bundle when each file is read once")
	}
}

func TestAFileThatChangesIsNotedInTime(t *testing.T) {
	root := installation(t)
	x := Export{Root: root, Profile: small(), Tier: "dev", Temp: t.TempDir()}
	for name, change := range map[string]func(at string) error{
		"longer":  func(at string) error { return os.WriteFile(at, []byte("<a/><b/>"), 0o644) },
		"shorter": func(at string) error { return os.WriteFile(at, []byte("<"), 0o644) },
		"other":   func(at string) error { return os.WriteFile(at, []byte("<b/>"), 0o644) },
		"gone":    os.Remove,
		"a fifo":  func(at string) error { return errors.Join(os.RemoveAll(at), unix.Mkfifo(at, 0o644)) },
		"a link":  func(at string) error { return errors.Join(os.Remove(at), os.Symlink("/etc/passwd", at)) },
	} {
		at := filepath.Join(root, "conf/app.xml")
		for how, look := range map[string]func(context.Context) (*Content, error){"looked": x.Look, "listed": x.List} {
			if err := errors.Join(os.RemoveAll(at), os.WriteFile(at, []byte("<a/>"), 0o644)); err != nil {
				t.Fatal(err)
			}
			content, err := look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := change(at); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = x.Write(t.Context(), content, &out)
			if name == "other" && how == "listed" && err == nil { // it was not read before, so it is the other one wholly
				if _, got := contents(t, out.Bytes()); got["conf/app.xml"] != "<b/>" {
					t.Errorf("%s, %s: has %q", name, how, got["conf/app.xml"])
				}
			} else if !errors.Is(err, ErrChanging) {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
	}
}

// changingAt changes a mapped file once, when some of it was read.
type changingAt struct {
	file []byte
	left int
}

func (c *changingAt) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		c.file[0], c.file[len(c.file)-1] = '1', '1'
	}
	return len(p), nil
}

// A file that is written to while it is read is noticed also where its times do not
// move, as those of two changes of one moment, or of a mapped file.
func TestAFileIsNeverPackedHalfOldAndHalfNew(t *testing.T) {
	const size = 1 << 20
	root := plant(t, filepath.Join(t.TempDir(), "tree"), map[string]string{"conf/a": strings.Repeat("0", size)})
	f, err := os.OpenFile(filepath.Join(root, "conf/a"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mapped, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mapped)
	mapped[0], mapped[size-1] = '0', '0' // the times move now, and not when it is changed
	x := Export{Root: root, Profile: small(), Tier: "dev"}
	content, err := x.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir, err := openFolder(root)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	p := packing{root: dir, progress: new(appdata.Progress), begun: time.Now()}
	r := packer{packing: &p, out: tar.NewWriter(&changingAt{mapped, size / 2}), sum: sha256.New(), dir: dir, name: "."}
	defer r.leave()
	if err := r.member(t.Context(), &content.Manifest.Files[1]); !errors.Is(err, ErrChanging) {
		t.Errorf("packed half old and half new: %v", err)
	}
}

func TestWhatNoBundleCanHaveIsRefused(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a backslash":       {`conf/a\b`: "1"},
		"a line's end":      {"conf/a\nb": "1"},
		"no UTF-8":          {"conf/a\xff": "1"},
		"twins":             {"conf/A": "1", "conf/a": "1"},
		"twin folders":      {"conf/A/x": "1", "conf/a/y": "1"},
		"a device's name":   {"conf/nul.txt": "1"},
		"a dot at the end":  {"conf/a.": "1"},
		"a link out":        {"conf/l": "->../../etc/passwd"},
		"an absolute link":  {"conf/l": "->/etc/passwd"},
		"a link by detours": {"conf/l": "->./a"},
	} {
		root := plant(t, filepath.Join(t.TempDir(), "tree"), files)
		_, err := Export{Root: root, Profile: small(), Tier: "dev"}.Look(t.Context())
		if f, ok := errors.AsType[*Fault](err); !ok || f.Kind != Unpackable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheVersionIsReadFromTheProduct(t *testing.T) {
	root := plant(t, filepath.Join(t.TempDir(), "tree"), map[string]string{"conf/version": "  5.2 \nmore", "conf/v.properties": "a=b\nproduct.version = 6.0\r\n", "conf/a": ""})
	for rule, want := range map[string]string{"conf/version": "5.2", "conf/v.properties#product.version": "6.0", "conf/none": "", "conf/v.properties#other": ""} {
		p := small()
		p.Version = rule
		if got, err := p.version(root, ""); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", rule, got, err, want)
		}
	}
}
