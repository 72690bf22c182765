package jobs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// shelf keeps pieces as the database does.
type shelf struct {
	pieces []piece
	calls  int
	fails  int // so many calls yet
	shut   bool
}

func (s *shelf) send(_ context.Context, p piece) (bool, error) {
	s.calls++
	if s.fails > 0 {
		s.fails--
		return false, errors.New("the database is away")
	}
	if s.shut {
		return false, nil
	}
	s.pieces = append(s.pieces, p)
	from, to := s.at(p.dropFrom), s.at(p.dropTo)
	s.pieces = slices.Delete(s.pieces, from, max(from, to))
	return true, nil
}

// at is the place of the first piece that does not begin before a byte.
func (s *shelf) at(start int64) int {
	i, _ := slices.BinarySearchFunc(s.pieces, start, func(p piece, start int64) int { return cmp.Compare(p.start, start) })
	return i
}

func (s *shelf) size() (n int64) {
	for _, p := range s.pieces {
		n += p.size
	}
	return n
}

// text is what a reader sees, with gaps.
func (s *shelf) text() string {
	var b strings.Builder
	var end int64
	for _, p := range s.pieces {
		if p.start != end {
			fmt.Fprintf(&b, "[%d]", p.start-end)
		}
		b.WriteString(p.text)
		end = p.start + p.size
	}
	return b.String()
}

// during runs an action with a spool that ends as a run's does.
func (s *shelf) during(t *testing.T, act func(out *spool)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		out := newSpool(s.send)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); out.run(ctx) }()
		act(out)
		stop()
		<-done
		if err := out.finish(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAShortRunThatSaysLittleCostsNoStatement(t *testing.T) {
	var s shelf
	s.during(t, func(out *spool) { fmt.Fprint(out, "done\n") })
	if s.calls != 0 {
		t.Errorf("%d calls", s.calls)
	}
}

func TestAnOutputIsSentWhileTheRunGoesOn(t *testing.T) {
	var s shelf
	s.during(t, func(out *spool) {
		for i := range 5 {
			fmt.Fprintf(out, "step %d\n", i)
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if i == 1 && s.text() != "step 0\nstep 1\n" {
				t.Errorf("a watcher sees %q", s.text())
			}
		}
		fmt.Fprint(out, "no line end")
	})
	if want := "step 0\nstep 1\nstep 2\nstep 3\nstep 4\nno line end"; s.text() != want {
		t.Errorf("got %q", s.text())
	}
}

func TestOfTenMegabytesTheBeginningAndTheEndAreKept(t *testing.T) {
	for name, pause := range map[string]time.Duration{"at once": 0, "in a minute": 6 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			var s shelf
			line := strings.Repeat("x", 999) + "\n"
			s.during(t, func(out *spool) {
				for range 10_000 {
					fmt.Fprint(out, line)
					time.Sleep(pause)
				}
				fmt.Fprint(out, "the end\n")
			})
			first, last := s.pieces[0], s.pieces[len(s.pieces)-1]
			if first.start != 0 || last.start+last.size != 10_000_008 || !strings.HasSuffix(s.text(), "x\nthe end\n") {
				t.Errorf("kept %d to %d, ending %q", first.start, last.start+last.size, s.text()[len(s.text())-20:])
			}
			if size := s.size(); size > keptMost || size < waitingMost {
				t.Errorf("%d bytes are kept", size)
			}
		})
	}
}

func TestManySmallPiecesAreBounded(t *testing.T) {
	var s shelf
	s.during(t, func(out *spool) {
		fmt.Fprint(out, strings.Repeat("head\n", headSize/5+1))
		for range 3 * piecesMost {
			fmt.Fprint(out, "tick\n")
			time.Sleep(2 * sendEvery)
		}
	})
	if n := len(s.pieces); n > piecesMost+headSize/pieceSize+2 {
		t.Errorf("%d pieces are kept", n)
	}
}

func TestBinaryOutputWithoutLinesIsMadeSafeAndCounted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	junk := make([]byte, 300_000)
	for i := range junk {
		junk[i] = byte(r.Uint32())
	}
	var s shelf
	s.during(t, func(out *spool) {
		if _, err := out.Write(junk); err != nil {
			t.Error(err)
		}
	})
	if s.size() != int64(len(junk)) {
		t.Errorf("%d bytes of %d", s.size(), len(junk))
	}
	for _, p := range s.pieces {
		if strings.ContainsFunc(p.text, func(c rune) bool { return c < ' ' && c != '\n' && c != '\t' }) {
			t.Fatal("a control character is kept")
		}
		if p.size > pieceSize || len(p.text) > 3*pieceSize {
			t.Fatalf("a piece of %d bytes has %d as text", p.size, len(p.text))
		}
	}
}

func TestACharacterIsNotTornApart(t *testing.T) {
	var s shelf
	s.during(t, func(out *spool) {
		for _, b := range []byte("gr\u00fc\u00dfe \u65e5\u672c \U0001F600\n") {
			if _, err := out.Write([]byte{b}); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * sendEvery)
		}
	})
	if want := "gr\u00fc\u00dfe \u65e5\u672c \U0001F600\n"; s.text() != want {
		t.Errorf("got %q", s.text())
	}
}

func TestWhatTheDatabaseDidNotTakeIsSentAgain(t *testing.T) {
	s := shelf{fails: 5}
	s.during(t, func(out *spool) {
		fmt.Fprint(out, "one\n")
		time.Sleep(3 * sendEvery)
		fmt.Fprint(out, "two\n")
		time.Sleep(20 * sendEvery)
	})
	if s.text() != "one\ntwo\n" {
		t.Errorf("got %q", s.text())
	}
}

func TestARunThatIsNotOpenAnyMoreIsNotWrittenTo(t *testing.T) {
	s := shelf{shut: true}
	s.during(t, func(out *spool) {
		for range 10 {
			fmt.Fprint(out, "zombie\n")
			time.Sleep(2 * sendEvery)
		}
	})
	if s.calls != 1 {
		t.Errorf("%d calls, want one that is refused", s.calls)
	}
}

const addOutput = `SELECT coterie.run_output('tidy', $1, $2, $3, 1::smallint, $4, 4, E'abc\n', $5, $6)`

func TestOnlyWhoBeganARunAddsToItsOutput(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	d := l.define(Definition{Name: "tidy"})
	token, due := l.hand("tidy", "a"), l.clock()
	expect(t, "begin", l.begin("a", d, due, token, 7), "begun")
	add := func(nonce, start, from, to int) bool {
		return get[bool](l, l.nodes["a"], addOutput, due, int64(token), nonce, start, from, to)
	}
	if !add(7, 0, 0, 0) || !add(7, 4, 0, 0) || !add(7, 4, 0, 0) || !add(7, 8, 4, 8) {
		t.Error("a piece of an open run was not taken")
	}
	if add(8, 12, 0, 0) {
		t.Error("another nonce added a piece")
	}
	if got := get[string](l, l.db.Pool, `SELECT string_agg(start::text, ' ' ORDER BY start) FROM coterie.outputs`); got != "0 8" {
		t.Errorf("pieces at %s", got)
	}
	expect(t, "end", l.end("a", "tidy", due, token, 7, Succeeded), "succeeded")
	if add(7, 12, 0, 0) {
		t.Error("a run that has ended takes more")
	}
	_, err := l.nodes["b"].Exec(`INSERT INTO coterie.output SELECT FROM coterie.output`)
	expect(t, "an agent writes the table", state(t, err), "42501")
}

func TestARunThatTalksMuchIsKeptByARealDatabase(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	d := l.define(Definition{Name: "tidy"})
	token, due := l.hand("tidy", "a"), l.clock()
	expect(t, "begin", l.begin("a", d, due, token, 7), "begun")
	r := &Runner{DB: l.nodes["a"].DB, Now: time.Now, Node: "a"}
	o := opened{"tidy", due, token, 7}
	out := newSpool(func(ctx context.Context, p piece) (bool, error) { return r.callOutput(ctx, o, 1, p) })
	junk := bytes.Repeat([]byte{0, 0xff, 'x', '\r', 0x1b, '[', 'm', 0xe2, 0x80, 0xae}, 20_000)
	if _, err := out.Write(junk); err != nil {
		t.Fatal(err)
	}
	if err := out.finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := get[int](l, l.db.Pool, `SELECT sum(size) FROM coterie.outputs`); n != len(junk) {
		t.Errorf("%d bytes of %d are kept", n, len(junk))
	}
}
