package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mover is a copy and a proof of single files.
type mover struct {
	*testing.T
	from, to     string
	copied       map[string]int
	proofs       string
	copy, proves *pass
}

func newMover(t *testing.T, settled time.Duration) *mover {
	base := t.TempDir()
	m := &mover{T: t, from: filepath.Join(base, "from"), to: filepath.Join(base, "to"), copied: map[string]int{}, proofs: filepath.Join(base, "proofs")}
	m.must(errors.Join(os.Mkdir(m.from, 0o755), os.Mkdir(m.to, 0o755)))
	all, err := newLines(m.proofs, os.O_TRUNC)
	m.must(err)
	r := &run{plan: Plan{Site: Site{From: m.from}}}
	r.Progress = new(Progress)
	r.Boundary = func(name string) {
		if what, ok := strings.CutPrefix(name, "copy "); ok {
			m.copied[what]++
		}
	}
	r.seen, err = r.plan.remember()
	m.must(err)
	r.seen.settled = settled
	m.copy, m.proves = r.newPass(), r.newPass()
	m.proves.prove, m.proves.all, m.proves.fresh = true, all, all
	return m
}

func (m *mover) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *mover) write(name, text string) {
	m.Helper()
	m.must(os.WriteFile(name, []byte(text), 0o644))
}

// each has a pass visit a file.
func (m *mover) each(visit func(p *pass, d *folder, e entry, buf []byte) error, p *pass) {
	m.Helper()
	m.must(visit(p, &folder{path: ".", from: m.from, to: m.to, fresh: true}, entry{"file", true}, make([]byte, 2*blockSize)))
}

func (m *mover) copies() {
	m.Helper()
	m.each(func(p *pass, d *folder, e entry, buf []byte) error { return p.copyOne(m.Context(), d, e, buf) }, m.copy)
}

// proved has the file proved, and says how often it was copied in all.
func (m *mover) proved() int {
	m.Helper()
	m.each(func(p *pass, d *folder, e entry, buf []byte) error { return p.proveOne(m.Context(), d, e, buf) }, m.proves)
	a, err := os.ReadFile(filepath.Join(m.from, "file"))
	b, errB := os.ReadFile(filepath.Join(m.to, "file"))
	m.must(errors.Join(err, errB))
	if string(a) != string(b) {
		m.Errorf("%q was proved to be %q", b, a)
	}
	return m.copied["file"]
}

func TestAnOriginalThatIsRememberedIsProvedByItsCopy(t *testing.T) {
	for what, c := range map[string]struct {
		settled time.Duration
		how     func(*mover)
		copied  int
	}{
		"nothing happened":         {0, func(*mover) {}, 1},
		"the copy is another":      {0, func(m *mover) { m.spoil(m.to) }, 2},
		"the original was changed": {0, func(m *mover) { m.spoil(m.from) }, 2},
		"the original was changed, of which its time says nothing, and is as new as that": {time.Hour, func(m *mover) { m.spoil(m.from) }, 2},
		// What is remembered is what is believed: else the original would have been read again.
		"what is remembered is of another": {0, func(m *mover) {
			for name, one := range m.copy.seen.of {
				one.digest[0]++
				m.copy.seen.of[name] = one
			}
		}, 2},
	} {
		t.Run(what, func(t *testing.T) {
			m := newMover(t, c.settled)
			m.write(filepath.Join(m.from, "file"), "of the server")
			time.Sleep(20 * time.Millisecond) // a tick of the system's clock
			m.copies()
			if n := len(m.copy.seen.of); n != 1 && c.settled == 0 || n != 0 && c.settled > 0 {
				t.Errorf("%d are remembered", n)
			}
			c.how(m)
			if n := m.proved(); n != c.copied {
				t.Errorf("copied %d times, want %d", n, c.copied)
			}
		})
	}
}

// spoil changes a file so that neither its size nor its time says so.
func (m *mover) spoil(folder string) {
	m.Helper()
	name := filepath.Join(folder, "file")
	info, err := os.Stat(name)
	m.must(err)
	m.write(name, "of the SERVER")
	m.must(os.Chtimes(name, time.Time{}, info.ModTime()))
}

func TestLittleIsRemembered(t *testing.T) {
	m := newMover(t, 0)
	for i := range rememberedMost + 2 {
		m.copy.seen.note(strconv.Itoa(i), look{inode: uint64(i)}, [32]byte{})
	}
	if n := len(m.copy.seen.of); n > rememberedMost {
		t.Errorf("%d are remembered", n)
	}
	for what, l := range map[string]look{
		"large":             {device: m.copy.seen.device, size: rememberedSize + 1},
		"of another device": {device: m.copy.seen.device + 1},
		"changed just now":  {device: m.copy.seen.device, changed: time.Now().Add(time.Second).UnixNano()},
	} {
		if m.copy.seen.takes(l) {
			t.Errorf("a file is remembered that is %s", what)
		}
	}
	if !m.copy.seen.takes(look{device: m.copy.seen.device, size: rememberedSize}) {
		t.Error("one that is small and old is not")
	}
}
