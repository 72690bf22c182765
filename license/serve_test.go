package license

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// socket is a desk's handler, asked by users of the operating system.
type socket struct {
	*httptest.Server
	user int
}

func (s *socket) ask(t *testing.T, method, path string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var said map[string]any
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatalf("%s %s: %s: %v", method, path, text, err)
	}
	return resp.StatusCode, said
}

func TestAnApplicationAsksByTheSocket(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	l.define(`{"pools": [{"name": "floating", "seats": 1}]}`)
	s := &socket{user: 1000}
	s.Server = httptest.NewServer(l.nodes["a"].Handler(func(context.Context) (int, bool) { return s.user, s.user >= 0 }))
	defer s.Close()
	const ana = "/v1/licenses/floating/holders/ana?session=s1"
	for _, c := range []struct {
		user         int
		method, path string
		want         int
		says         string
	}{
		{1000, "GET", ana, 404, "not checked out"},
		{1000, "PUT", ana, 200, `"kind":"seat"`},
		{1000, "PUT", ana, 200, `"seat":1`},
		{1000, "GET", ana, 200, `"schema":"coterie.seat/v1"`},
		{1000, "PUT", "/v1/licenses/floating/holders/ana?session=s2", 200, `"seat":1`},
		{1000, "PUT", "/v1/licenses/floating/holders/bob", 409, `"reason":"all 1 seats are taken"`},
		{1000, "PUT", "/v1/licenses/nope/holders/bob", 404, "no such pool"},
		{1000, "PUT", "/v1/licenses/floating/holders/%20", 400, "not a name"},
		{1000, "PUT", "/v1/licenses/floating/holders/a%00b", 400, "not a name"},
		{1000, "PUT", "/v1/licenses/floating/holders/a%FFb", 400, "not a name"},
		{1000, "PUT", "/v1/licenses/floating/holders/" + strings.Repeat("x", 10_000), 400, "not a name"},
		{2000, "PUT", ana, 403, "another user's"},
		{2000, "GET", ana, 403, "another user's"},
		{2000, "DELETE", ana, 403, "another user's"},
		{-1, "PUT", ana, 403, "cannot be known"},
		{1000, "DELETE", "/v1/licenses/floating/holders/bob?session=s1", 200, `"released":false`},
		{1000, "DELETE", ana, 200, `"released":true`},
		{1000, "DELETE", ana, 200, `"released":false`},
		{1000, "PUT", "/v1/licenses/floating/holders/bob", 409, "taken"},
		{0, "DELETE", "/v1/licenses/floating/holders/ana?session=s2", 200, `"released":true`},
		{1000, "PUT", "/v1/licenses/floating/holders/CORP%5Cb%C3%B6b", 200, `"kind":"seat"`},
	} {
		s.user = c.user
		code, said := s.ask(t, c.method, c.path)
		text, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		if code != c.want || !strings.Contains(string(text), c.says) {
			t.Errorf("user %d: %s %.80s: %d %s, want %d with %q", c.user, c.method, c.path, code, text, c.want, c.says)
		}
	}
	l.check(1)
}

func TestASourceCountsWhoIsAtWork(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	l.define(`{"pools": [{"name": "floating", "seats": 2}]}`)
	l.exec(`CREATE TABLE public.user_session (name text, id text); INSERT INTO public.user_session VALUES ('ana', 's1'), ('bob', 's2'), ('cid', 's3')`)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- l.nodes["a"].Follow(ctx, "floating", 20*time.Millisecond, FromQuery(l.db, `SELECT name, id FROM public.user_session`))
	}()
	l.await(`SELECT in_use = 2 AND excess = 1 FROM coterie.license_pools`)
	l.exec(`DELETE FROM public.user_session WHERE name IN ('ana', 'bob')`)
	l.await(`SELECT in_use + excess = 1 FROM coterie.license_pools`)
	l.exec(`ALTER TABLE public.user_session RENAME TO gone`) // a source that fails changes nothing
	time.Sleep(100 * time.Millisecond)
	if n := get[int](l, `SELECT in_use + over FROM coterie.license_pool`); n != 1 {
		t.Errorf("%d seats are held after the source failed, want 1", n)
	}
	cancel()
	<-done
	l.checkLedger()
}

func TestAnAccessLogTellsWhoIsAtWork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	now := time.Duration(0)
	log := &Log{Path: path, Pattern: regexp.MustCompile(`^(?P<host>\S+) \S+ (?P<holder>\S+) \[`), Window: time.Minute, Now: func() time.Duration { return now }}
	add := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	see := func(want ...string) {
		t.Helper()
		uses, err := log.Uses(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, u := range uses {
			got[u.Holder+"@"+u.Host] = true
		}
		for _, w := range want {
			if !got[w] {
				t.Errorf("%s is not seen; seen are %v", w, got)
			}
		}
		if len(got) != len(want) {
			t.Errorf("seen are %v, want %v", got, want)
		}
	}
	if _, err := log.Uses(t.Context()); err == nil {
		t.Error("a log that is not there is none")
	}
	add("10.0.0.9 - old [x] GET /\n")
	see() // of before
	add("10.0.0.1 - ana [x] GET /\n10.0.0.2 - - [x] GET /\n10.0.0.3 - bo")
	see("ana@10.0.0.1")
	add("b [x] GET /\nnonsense\n")
	now = 30 * time.Second
	see("ana@10.0.0.1", "bob@10.0.0.3")
	now = 70 * time.Second
	see("bob@10.0.0.3")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	add("10.0.0.4 - cid [x] GET /\n")
	see("bob@10.0.0.3", "cid@10.0.0.4")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	see("bob@10.0.0.3", "cid@10.0.0.4")
}

func TestAJournalThatIsSpoiltOrFullDoesNoHarm(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := journal{path: path, node: "a"}
	if err := j.write(floating("ana"), Escrowed, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("{\"at\": half"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.write(floating("bob"), Graced, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	j.node = "another node"
	if err := j.write(floating("cid"), Graced, time.Unix(2, 0)); err != nil {
		t.Fatal(err)
	}
	entries, spoilt, err := ReadJournal(path, "a")
	if err != nil || len(entries) != 2 || spoilt != 2 || entries[1].Holder != "bob" {
		t.Errorf("%v, %d spoilt, %v", entries, spoilt, err)
	}
	if entries, _, err := ReadJournal(path+".none", "a"); err != nil || len(entries) > 0 {
		t.Errorf("no journal: %v, %v", entries, err)
	}
	// A full disk: grace is refused, because nobody could tell of it; escrow is counted already.
	l := newLab(t, "a")
	n := l.nodes["a"]
	l.define(`{"pools": [{"name": "floating", "seats": 3, "escrow": 1, "away": "grace"}]}`)
	l.await(`SELECT escrowed = 1 FROM coterie.license_pools`)
	n.journal.path = "/dev/full"
	n.cut()
	if seat, err := n.Checkout(t.Context(), floating("ana"), 0); err != nil || seat.Kind != Escrowed {
		t.Errorf("out of escrow: %+v, %v", seat, err)
	}
	if seat, err := n.Checkout(t.Context(), floating("bob"), 0); err == nil {
		t.Errorf("grace that is not written down: %+v", seat)
	}
	n.journal.path = path
	if seat, err := n.Checkout(t.Context(), floating("cid"), 0); err != nil || seat.Kind != Graced {
		t.Errorf("grace: %+v, %v", seat, err)
	}
	n.mend()
	l.await(`SELECT in_use = 2 FROM coterie.license_pools`)
	l.check(3)
}
