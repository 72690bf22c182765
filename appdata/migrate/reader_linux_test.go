package migrate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// moveSome moves a small installation to a share, and says what was proved.
func moveSome(t *testing.T, files int) (Plan, Journal) {
	t.Helper()
	install, share := filepath.Join(t.TempDir(), "server"), filepath.Join(t.TempDir(), "share")
	put := func(name, text string) {
		name = filepath.Join(install, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put("conf/server/installed.properties", "server.appdata.dir=..\n")
	put("conf/installed.version", "version=7.3\n")
	put("var/sa/auth", "sa")
	for i := range files {
		put(fmt.Sprintf("var/repository/%d", i), fmt.Sprint(i))
	}
	p, err := Make(t.Context(), Ask{Install: install, To: share, Accepts: []string{"local-disk", "unseen-processes"}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(file, p.Text(), 0o600); err != nil {
		t.Fatal(err)
	}
	p, j, err := Run{PlanFile: file, Goal: Apply}.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p, j
}

func TestAReadingGoesOnFromItsMarkAndSaysTheSame(t *testing.T) {
	p, j := moveSome(t, 3*batchFiles)
	r := Reader{Share: p.To, Plan: p.ID, Manifest: j.Fact(Prove, "manifest")}
	var marks []Mark
	enough := errors.New("enough")
	if err := r.Do(t.Context(), func(m Mark) error {
		if marks = append(marks, m); len(marks) == 2 {
			return enough
		}
		return nil
	}); !errors.Is(err, enough) {
		t.Fatal(err)
	}
	half := marks[1].Reading.Files
	if half < 2*batchFiles || half > 3*batchFiles {
		t.Fatalf("%d files were read", half)
	}
	r.From = marks[1]
	var last Mark
	again := int64(0)
	if err := r.Do(t.Context(), func(m Mark) error {
		if last = m; again == 0 {
			again = m.Reading.Files - half
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := int64(3*batchFiles + 2); !last.Done || last.Reading.Files != want || last.Reading.Same != want || again <= 0 {
		t.Errorf("the last word is %+v", last)
	}
	said, err := p.Readings()
	if err != nil || len(said) != 1 || said[0].Files != last.Reading.Files {
		t.Errorf("left on the share: %v, %v", said, err)
	}
}

func TestAReadingOfWhatCannotBeReadSaysNothingOfIt(t *testing.T) {
	p, j := moveSome(t, 3)
	r := Reader{Share: p.To, Plan: p.ID, Manifest: j.Fact(Prove, "manifest")}
	told := 0
	read := func() error { return r.Do(t.Context(), func(Mark) error { told++; return nil }) }

	// As a share that answers with errors: a name that leads to itself.
	sa := filepath.Join(p.To, "var/sa")
	if err := errors.Join(os.Rename(sa, sa+".away"), os.Symlink("sa", sa)); err != nil {
		t.Fatal(err)
	}
	var unread *UnreadError
	if err := read(); !errors.As(err, &unread) || len(unread.Sample) != 1 || told > 0 {
		t.Errorf("read: %v, told %d times", err, told)
	}
	if err := errors.Join(os.Remove(sa), os.Rename(sa+".away", sa)); err != nil {
		t.Fatal(err)
	}
	if err := read(); err != nil {
		t.Error(err)
	}
	r.Manifest = "0" + r.Manifest[1:] + "x"
	if err := read(); !errors.Is(err, ErrMovedAgain) {
		t.Errorf("of another proof: %v", err)
	}
	r.Plan = "20200101-aaaaaa"
	if err := read(); !errors.Is(err, ErrOther) {
		t.Errorf("of another plan: %v", err)
	}
	r.Share = t.TempDir()
	if err := read(); !errors.Is(err, ErrNotProved) {
		t.Errorf("of another share: %v", err)
	}
}
