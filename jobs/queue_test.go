package jobs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// queued is a lab with a queue job that has some requests.
func queued(t *testing.T, n int, nodes ...string) *lab {
	t.Helper()
	l := newLab(t, nodes...)
	l.define(Definition{Name: "asked", Schedule: OnRequest, Queue: true})
	for i := range n {
		if _, err := Request(t.Context(), l.db.Operator().DB, Asking{Job: "asked", By: "ann", Params: Params{"n": fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// take takes requests for a node, as its runner does.
func (l *lab) take(node string, room int) []string {
	l.Helper()
	r := &Runner{DB: l.nodes[node].DB, Node: node, Now: time.Now}
	names, _, err := r.TakeRequests(l.Context(), get[int64](l, l.db.Pool, `SELECT incarnation FROM coterie.session WHERE node = $1`, node), room)
	if err != nil {
		l.Fatal(err)
	}
	return names
}

func TestRequestsAreTakenInTheirOrderAndSharedFairly(t *testing.T) {
	t.Parallel()
	l := queued(t, 6, "a", "b", "c")
	if got := l.take("a", 100); strings.Join(got, " ") != "request/1 request/2" {
		t.Errorf("a took %v, want the first third of six", got)
	}
	if got := l.take("a", 100); len(got) != 2 {
		t.Errorf("a asked again and has %v", got)
	}
	if got := l.take("b", 1); strings.Join(got, " ") != "request/3" {
		t.Errorf("b, which has room for one, took %v", got)
	}
	if got := l.take("c", 100); strings.Join(got, " ") != "request/4 request/5" {
		t.Errorf("c took %v", got)
	}
	// What the dead had taken is free again, and comes first.
	l.exec(`SELECT coterie.session_end('a', 1, 'crash', 'test')`)
	if got := l.take("c", 100); strings.Join(got, " ") != "request/1 request/4 request/5" {
		t.Errorf("c has %v after the end of a", got)
	}
	// Who drains leaves to others what it has not begun.
	if got := l.take("c", 0); len(got) != 0 {
		t.Errorf("c keeps %v", got)
	}
}

func TestNoRequestIsTakenTwice(t *testing.T) {
	t.Parallel()
	l := queued(t, 40, "a", "b", "c", "d")
	var mu sync.Mutex
	var all []string
	var wg sync.WaitGroup
	for node := range l.nodes {
		for range 3 {
			wg.Go(func() {
				l.take(node, 100)
			})
		}
	}
	wg.Wait()
	for node := range l.nodes {
		mu.Lock()
		all = append(all, l.take(node, 100)...)
		mu.Unlock()
	}
	slices.Sort(all)
	if n := len(slices.Compact(slices.Clone(all))); n != len(all) || n != 40 {
		t.Errorf("%d taken, %d of them different, want 40", len(all), n)
	}
}

// lend gives a node the lease of a request, as its next heartbeat would.
func (l *lab) lend(lease, node string) leases.Token {
	l.Helper()
	l.exec(`INSERT INTO coterie.lease (name) VALUES ($1) ON CONFLICT DO NOTHING`, lease)
	return leases.Token(get[int64](l, l.db.Pool, `
		UPDATE coterie.lease l SET node = s.node, incarnation = s.incarnation, token = coterie.next_token(), acquired_at = coterie.clock()
		FROM coterie.session s WHERE l.name = $1 AND s.node = $2 RETURNING l.token`, lease, node))
}

const beginRequest = `SELECT answer::text || coalesce(' ' || attempt, '') FROM coterie.request_begin($1, $2, $3)`

func TestARequestIsRunByWhoeverHoldsItsLease(t *testing.T) {
	t.Parallel()
	for onLost, want := range map[OnLost]string{LostRecord: "accounted", LostRestart: "begun 2"} {
		l := newLab(t, "a", "b")
		l.define(Definition{Name: "asked", Schedule: OnRequest, Queue: true, OnLost: onLost})
		for range 2 {
			if _, err := Request(t.Context(), l.db.Operator().DB, Asking{Job: "asked", By: "ann"}); err != nil {
				t.Fatal(err)
			}
		}
		l.take("a", 9)
		l.take("b", 9)
		one, two := l.lend("request/1", "a"), l.lend("request/2", "b")
		begin := func(node string, id int, token leases.Token, nonce int) string {
			return get[string](l, l.nodes[node], beginRequest, id, int64(token), nonce)
		}
		expect(t, "a begins its own", begin("a", 1, one, 7), "begun 1")
		expect(t, "and once more, as the answer was lost", begin("a", 1, one, 7), "begun 1")
		expect(t, "b begins a's", begin("b", 1, one, 8), "lost")
		expect(t, "b begins its own beside it", begin("b", 2, two, 9), "begun 1")
		expect(t, "rows", l.rows("asked"), "running on a\nrunning on b\n")
		// a dies; b takes its request over.
		l.exec(`SELECT coterie.session_end('a', 1, 'crash', 'test')`)
		if got := l.take("b", 9); len(got) != 2 {
			t.Fatalf("b has %v", got)
		}
		token := l.lend("request/1", "b")
		expect(t, string(onLost), begin("b", 1, token, 10), want)
		if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.violations WHERE invariant <> 'token outside the ledger' AND invariant <> 'run without the lease'`); n != 0 {
			t.Errorf("%d invariants are broken", n)
		}
	}
}

func TestARequestThatNobodyCanRunIsKeptAndSaysWhy(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	l.define(Definition{Name: "asked", Schedule: OnRequest, Queue: true, Action: "rare"})
	if _, err := Request(t.Context(), l.db.Operator().DB, Asking{Job: "asked", By: "ann"}); err != nil {
		t.Fatal(err)
	}
	if got := l.take("a", 9); len(got) != 0 {
		t.Errorf("a took %v", got)
	}
	expect(t, "message", get[string](l, l.db.Pool, `SELECT message FROM coterie.requests`), "no ready node has the action rare")
	expect(t, "state", get[string](l, l.db.Pool, `SELECT state FROM coterie.requests`), "waiting")
}

func TestRequestsOfAScheduledJobWaitInTheirOrder(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	d := l.define(Definition{Name: "tidy", Schedule: "@every 24h"})
	ask := func(days string) time.Time {
		due, err := Request(t.Context(), l.db.Operator().DB, Asking{Job: "tidy", By: "ann", Params: Params{"days": days}})
		if err != nil {
			t.Fatal(err)
		}
		return due
	}
	first, second := ask("1"), ask("2")
	if again := ask("1"); !again.Equal(first) || !second.After(first) {
		t.Errorf("asked at %v, %v, and again at %v", first, second, again)
	}
	token := l.hand("tidy", "a")
	for _, due := range []time.Time{first, second} {
		var asked *time.Time
		if err := l.db.Get(&asked, `SELECT requested_at FROM coterie.job_list()`); err != nil || asked == nil || !asked.Equal(due) {
			t.Fatalf("%v is next, want %v (%v)", asked, due, err)
		}
		expect(t, "begin", l.begin("a", d, due, token, due.UnixNano()), "begun")
		expect(t, "end", l.end("a", "tidy", due, token, due.UnixNano(), Succeeded), "succeeded")
	}
	expect(t, "what they asked for", get[string](l, l.db.Pool, `SELECT string_agg(params->>'days', ' ' ORDER BY due_at) FROM coterie.run`), "1 2")
}

func TestARequestThatFailedIsTriedAgainByAnyNodeAfterAPause(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	l.define(Definition{Name: "asked", Schedule: OnRequest, Queue: true, Retries: 1, RetryAfter: time.Minute})
	if _, err := Request(t.Context(), l.db.Operator().DB, Asking{Job: "asked", By: "ann"}); err != nil {
		t.Fatal(err)
	}
	due := get[time.Time](l, l.db.Pool, `SELECT due_at FROM coterie.request`)
	begin := func(node string, nonce int64) (answer string, token leases.Token) {
		token = l.lend("request/1", node)
		return get[string](l, l.nodes[node], beginRequest, 1, int64(token), nonce), token
	}
	end := func(node string, token leases.Token, nonce int64, outcome Outcome) string {
		return get[string](l, l.nodes[node], `SELECT coalesce(coterie.request_end(1, 'asked', $1, $2, $3, $4, 1, '', 'no luck')::text, 'none')`, due, int64(token), nonce, outcome)
	}
	if got := l.take("a", 1); len(got) != 1 {
		t.Fatalf("a took %v", got)
	}
	answer, token := begin("a", 1)
	expect(t, "the first attempt", answer, "begun 1")
	expect(t, "its end", end("a", token, 1, Failed), "failed")
	expect(t, "its end, said again", end("a", token, 1, Failed), "failed")

	wait := get[float64](l, l.db.Pool, `SELECT extract(epoch FROM again_at - coterie.clock()) FROM coterie.request`)
	if wait < 40 || wait > 73 {
		t.Errorf("the next attempt is due in %.0f s, want a minute or so", wait)
	}
	if got := append(l.take("a", 5), l.take("b", 5)...); len(got) > 0 {
		t.Errorf("%v is taken before its time", got)
	}
	r := &Runner{DB: l.nodes["b"].DB, Node: "b"}
	if _, again, err := r.TakeRequests(t.Context(), 2, 5); err != nil || again < 40*time.Second || again > 73*time.Second {
		t.Errorf("b is to look again in %v, %v", again, err)
	}
	answer, _ = begin("b", 2)
	expect(t, "before its time", answer, "early")
	if told := get[string](l, l.db.Pool, `SELECT message FROM coterie.requests`); !strings.HasPrefix(told, "attempt 2 is due at ") {
		t.Errorf("it is said to wait because: %s", told)
	}

	l.exec(`UPDATE coterie.request SET again_at = (SELECT finished_at + interval '1us' FROM coterie.run)`)
	if got := l.take("b", 5); len(got) != 1 {
		t.Fatalf("b took %v", got)
	}
	expect(t, "the end of the first, said once more", end("a", token, 1, Failed), "failed")
	if node := get[string](l, l.db.Pool, `SELECT coalesce(node, 'nobody') FROM coterie.request`); node != "b" {
		t.Errorf("what was said once more took it from b: %s has it", node)
	}
	answer, token = begin("b", 3)
	expect(t, "the second attempt", answer, "begun 2")
	expect(t, "its end", end("b", token, 3, TimedOut), "timed_out")
	if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.request`); n != 0 {
		t.Errorf("%d requests wait after the last attempt", n)
	}
	if told := get[string](l, l.db.Pool, `SELECT string_agg(kind || ' ' || (detail->>'attempt') || ' after ' || (detail->>'outcome'), ', ') FROM coterie.event WHERE kind = 'run.retried'`); told != "run.retried 2 after failed" {
		t.Errorf("the ledger says %s", told)
	}
	if kinds := get[string](l, l.db.Pool, `SELECT string_agg(kind || ' ' || attempt, ', ') FROM coterie.notice`); kinds != "failed 2" {
		t.Errorf("hooks are to tell: %s", kinds)
	}
}

func TestWhatIsWithdrawnIsNeverBegunAndHasARow(t *testing.T) {
	t.Parallel()
	l := queued(t, 3, "a")
	operator := l.db.Operator().DB
	l.take("a", 100)
	if err := Withdraw(t.Context(), operator, 2, "ann", "asked twice"); err != nil {
		t.Fatal(err)
	}
	if err := Withdraw(t.Context(), operator, 2, "ann", ""); !errors.Is(err, ErrNoRequest) {
		t.Errorf("withdrawn twice: %v", err)
	}
	if got := get[string](l, l.db.Pool, `SELECT format('%s %s %s', outcome, requested_by, reason) FROM coterie.run WHERE request = 2`); got != "skipped ann withdrawn by ann: asked twice" {
		t.Errorf("its row says %q", got)
	}
	if got := l.take("a", 100); strings.Join(got, " ") != "request/1 request/3" {
		t.Errorf("a has %v", got)
	}
	// One that runs is not taken back; one that waits for another attempt keeps the row that it has.
	l.exec(`INSERT INTO coterie.run (job, due_at, token, nonce, node, started_at, outcome, requested_by, request)
	        SELECT job, due_at, 1, 1, 'a', due_at, 'running', requested_by, id FROM coterie.request WHERE id IN (1, 3)`)
	if err := Withdraw(t.Context(), operator, 1, "ann", ""); !errors.Is(err, ErrBegun) {
		t.Errorf("one that runs: %v", err)
	}
	l.exec(`UPDATE coterie.run SET outcome = 'failed', exit_code = 1, finished_at = started_at + interval '1s', reason = 'exit code 1' WHERE request = 3`)
	if err := Withdraw(t.Context(), operator, 3, "ann", ""); err != nil {
		t.Error(err)
	}
	if got := get[string](l, l.db.Pool, `SELECT outcome FROM coterie.run WHERE request = 3`); got != "failed" {
		t.Errorf("the attempt that failed is called %s", got)
	}
}

// Of a run that begins and a request that is withdrawn at the same moment, one wins.
func TestAWithdrawalAndABeginNeverBothHappen(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	d := l.define(Definition{Name: "plain", Schedule: "@every 1000h"})
	token := l.hand("plain", "a")
	begun, withdrawn := 0, 0
	for n := range 60 {
		due, err := Request(t.Context(), l.db.Operator().DB, Asking{Job: "plain", By: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		id := get[int64](l, l.db.Pool, `SELECT id FROM coterie.request WHERE job = 'plain' AND due_at = $1`, due)
		d.Generation = get[int64](l, l.db.Pool, `SELECT generation FROM coterie.job WHERE name = 'plain'`)
		withdraw := func() error { return Withdraw(t.Context(), l.db.Operator().DB, id, "bob", "") }
		answer := make(chan error, 1)
		switch n % 6 {
		case 0:
			answer <- withdraw()
		case 1: // asked after the run has begun
		default:
			go func() { answer <- withdraw() }()
		}
		got := l.begin("a", d, due, token, int64(n+1))
		if n%6 == 1 {
			answer <- withdraw()
		}
		switch err := <-answer; {
		case got == "begun" && (errors.Is(err, ErrBegun) || errors.Is(err, ErrNoRequest)):
			begun++
			l.end("a", "plain", due, token, int64(n+1), Succeeded)
		case got == "accounted" && err == nil:
			withdrawn++
		default:
			t.Fatalf("run_begin says %s and the withdrawal %v", got, err)
		}
	}
	if begun == 0 || withdrawn == 0 {
		t.Errorf("%d begun and %d withdrawn: no race was tried", begun, withdrawn)
	}
}
