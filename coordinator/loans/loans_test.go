package loans_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/coordinator/loans"
	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// agent is a session with a desk, as an agent wires them.
type agent struct {
	*httptest.Server
	desk *loans.Desk
	stop func()
	user int // who asks next
}

func newAgent(t *testing.T, db *sqltest.DB, node string) *agent {
	t.Helper()
	pool := db.Agent()
	s := &leases.Session{DB: pool.DB, Node: node}
	a := &agent{user: 1000}
	a.desk = &loans.Desk{Trust: func() time.Duration { return time.Until(s.View().Trusted) }}
	s.Hold = a.desk.Hold
	a.desk.Change = func(wants []string) {
		go func() { // the desk must not wait for the database
			if err := leases.Declare(context.Background(), pool.DB, wants); err == nil {
				s.Change(nil, wants)
			}
		}()
	}
	a.Server = httptest.NewServer(a.desk.Handler(func(context.Context) (int, bool) { return a.user, true }))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Run(ctx) // ends with the test
	}()
	a.stop = func() { cancel(); <-ended; a.Close() }
	t.Cleanup(a.stop)
	return a
}

type loan struct {
	Token int64
	Error string
}

func (a *agent) ask(t *testing.T, method, path string) (int, loan) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, a.URL+path, nil)
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
	var l loan
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatalf("%s %s: %s: %v", method, path, text, err)
	}
	return resp.StatusCode, l
}

func ready(t *testing.T) *sqltest.DB {
	t.Helper()
	db := sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('deploy')`)
	return db
}

func TestALeaseIsBorrowedByOneProcessOfTheClusterAtATime(t *testing.T) {
	db := ready(t)
	a, b := newAgent(t, db, "app-a"), newAgent(t, db, "app-b")

	code, got := a.ask(t, "PUT", "/v1/leases/nightly?ttl=1m&wait=5s")
	if code != 200 || got.Token == 0 {
		t.Fatalf("acquire: %d %+v", code, got)
	}
	token := "?token=" + strconv.FormatInt(got.Token, 10)
	if _, err := db.Exec(`SELECT coterie.assert_lease('nightly', $1)`, got.Token); err != nil {
		t.Errorf("the database does not know the loan: %v", err)
	}
	if code, got := b.ask(t, "PUT", "/v1/leases/nightly?wait=300ms"); code != 409 {
		t.Errorf("another node lends the same lease: %d %+v", code, got)
	}
	if code, _ := a.ask(t, "PUT", "/v1/leases/nightly"+token); code != 200 {
		t.Errorf("keep: %d", code)
	}
	if code, _ := a.ask(t, "GET", "/v1/leases/nightly?token=999"); code != 409 {
		t.Errorf("check of another token: %d, want 409", code)
	}
	if code, _ := a.ask(t, "DELETE", "/v1/leases/nightly"+token); code != 200 {
		t.Errorf("release: %d", code)
	}
	code, second := b.ask(t, "PUT", "/v1/leases/nightly?wait=8s")
	if code != 200 || second.Token <= got.Token {
		t.Errorf("the next holder: %d, token %d after %d", code, second.Token, got.Token)
	}
	if code, _ := a.ask(t, "GET", "/v1/leases/nightly"+token); code != 409 {
		t.Errorf("the old token checks as %d, want 409", code)
	}
}

func TestALoanThatNobodyKeepsEnds(t *testing.T) {
	db := ready(t)
	a := newAgent(t, db, "app-a")
	code, got := a.ask(t, "PUT", "/v1/leases/short?ttl=1s&wait=5s")
	if code != 200 {
		t.Fatalf("acquire: %d %+v", code, got)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		var held bool
		if err := db.Get(&held, `SELECT valid FROM coterie.leases WHERE name = 'short'`); err != nil {
			t.Fatal(err)
		}
		if !held {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the lease of a loan of one second is still held after ten")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestAnotherUserCanNeitherKeepNorReleaseALoanButRootCan(t *testing.T) {
	db := ready(t)
	a := newAgent(t, db, "app-a")
	code, got := a.ask(t, "PUT", "/v1/leases/mine?wait=5s")
	if code != 200 {
		t.Fatalf("acquire: %d %+v", code, got)
	}
	token := "?token=" + strconv.FormatInt(got.Token, 10)
	a.user = 2000
	for _, method := range []string{"PUT", "GET", "DELETE"} {
		if code, got := a.ask(t, method, "/v1/leases/mine"+token); code != 403 || got.Token != 0 {
			t.Errorf("%s by another user: %d %+v, want 403", method, code, got)
		}
	}
	if code, got := a.ask(t, "PUT", "/v1/leases/mine?wait=100ms"); code != 409 || got.Token != 0 {
		t.Errorf("acquire by another user on this host: %d %+v, want 409", code, got)
	}
	a.user = 0
	if code, _ := a.ask(t, "DELETE", "/v1/leases/mine"+token); code != 200 {
		t.Errorf("release by root: %d", code)
	}
}

func TestALostSessionEndsItsLoans(t *testing.T) {
	db := ready(t)
	a := newAgent(t, db, "app-a")
	code, got := a.ask(t, "PUT", "/v1/leases/lost?wait=5s")
	if code != 200 {
		t.Fatalf("acquire: %d %+v", code, got)
	}
	if _, err := db.Exec(`SELECT coterie.session_end(node, incarnation, 'crash', 'by hand') FROM coterie.session`); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if code, _ := a.ask(t, "GET", "/v1/leases/lost?token="+strconv.FormatInt(got.Token, 10)); code == 409 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the loan of an ended session still checks as good")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestALoanThatIsWantedElsewhereLastsUntilItIsGivenBack(t *testing.T) {
	var desk loans.Desk
	desk.Change = func([]string) {}
	yield := make(chan struct{})
	type answer struct {
		loan loans.Loan
		err  error
	}
	got := make(chan answer)
	go func() {
		l, err := desk.Acquire(t.Context(), "x", 1000, time.Minute)
		got <- answer{l, err}
	}()
	for len(desk.Wants()) == 0 {
		time.Sleep(time.Millisecond)
	}
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		desk.Hold(t.Context(), leases.Grant{Lease: "x", Token: 7, Yield: yield})
	}()
	if a := <-got; a.err != nil || a.loan.Token != 7 {
		t.Fatalf("acquire: %+v", a)
	}
	close(yield)
	deadline := time.Now().Add(5 * time.Second)
	for {
		if _, err := desk.Keep("x", 1000, 7); errors.Is(err, loans.ErrClosing) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a loan that is wanted elsewhere can be kept")
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := desk.Look("x", 1000, 7); err != nil {
		t.Errorf("a loan that was not given back checks as %v", err)
	}
	select {
	case <-returned:
		t.Fatal("the lease was handed over while its borrower acts")
	default:
	}
	if err := desk.Release("x", 1000, 7); err != nil {
		t.Fatal(err)
	}
	<-returned
}

func TestNonsenseIsRefused(t *testing.T) {
	a := newAgent(t, ready(t), "app-a")
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"PUT", "/v1/leases/job%2Fnightly", 400},
		{"PUT", "/v1/leases/a%0Ab", 400},
		{"PUT", "/v1/leases/x?ttl=soon", 400},
		{"PUT", "/v1/leases/x?wait=-1s", 400},
		{"PUT", "/v1/leases/x?token=-4", 400},
		{"DELETE", "/v1/leases/x", 400},
		{"GET", "/v1/leases/never?token=1", 409},
	} {
		if code, got := a.ask(t, c.method, c.path); code != c.want || got.Error == "" {
			t.Errorf("%s %s: %d %+v, want %d with a reason", c.method, c.path, code, got, c.want)
		}
	}
}

// The database refuses control characters as its locale counts them, in one
// statement for all loans: one such name would hold up those of other users.
func TestNamesThatCannotBeShownAreRefused(t *testing.T) {
	for _, name := range []string{"", "a/b", "a\nb", "a\x7f", "a\u0085b", "a\u009bb", "a\u2028b", "a\u200bb", "a\xffb"} {
		if loans.Check(name) == nil {
			t.Errorf("%q is taken for a name", name)
		}
	}
	for _, name := range []string{"nightly", "Über uns.2"} {
		if err := loans.Check(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
