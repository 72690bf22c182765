package jobs

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

func TestOfAGroupNoMoreThanItsLimitRunAtOnceHoweverManyBegin(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		const jobs, limit = 24, 3
		var wanted []Definition
		for i := range jobs {
			wanted = append(wanted, Definition{Name: fmt.Sprintf("job-%02d", i), Action: "ok", Schedule: "@every 1s", Group: "reports", GroupLimit: limit})
		}
		l.apply(wanted...)
		// Commits that take long make who counts without a lock count too few.
		l.exec(`CREATE FUNCTION coterie.slow_trial() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END $$`)
		l.exec(`CREATE TRIGGER slow_trial AFTER INSERT ON coterie.run FOR EACH ROW EXECUTE FUNCTION coterie.slow_trial()`)
		var started sync.WaitGroup
		answers := make([]string, jobs)
		due := l.clock().Truncate(time.Second).Add(time.Second)
		for i, d := range l.current() {
			node := []string{"a", "b"}[i%2]
			token := l.hand(d.Name, node)
			started.Go(func() { answers[i] = l.begin(node, d, due, token, int64(i+1)) })
		}
		started.Wait()
		said := map[string]int{}
		for _, a := range answers {
			said[a]++
		}
		if said["begun"] != limit || said["full"] != jobs-limit {
			t.Errorf("the answers are %v", said)
		}
		if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.run WHERE outcome = 'running'`); n != limit {
			t.Errorf("%d runs are open", n)
		}
	})
}

func TestInAGroupTheHighestPriorityComesFirstOnWhicheverNodeItIs(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		var wanted []Definition
		for name, priority := range map[string]int{"busy": 0, "low": 1, "high": 2} {
			wanted = append(wanted, Definition{Name: name, Action: "ok", Schedule: "@every 1s", Group: "reports", GroupLimit: 1, Priority: priority})
		}
		l.apply(wanted...)
		defined, tokens := map[string]Definition{}, map[string]leases.Token{}
		for _, d := range l.current() {
			defined[d.Name] = d
			tokens[d.Name] = l.hand(d.Name, map[string]string{"busy": "a", "low": "a", "high": "b"}[d.Name])
		}
		due := l.clock().Truncate(time.Second).Add(time.Second)
		begin := func(job, node string) string { return l.begin(node, defined[job], due, tokens[job], 7) }
		expect(t, "the first", begin("busy", "a"), "begun")
		expect(t, "high beside it", begin("high", "b"), "full")
		expect(t, "low beside it", begin("low", "a"), "full")
		expect(t, "its end", l.end("a", "busy", due, tokens["busy"], 7, Succeeded), "succeeded")
		expect(t, "low, while high waits", begin("low", "a"), "full")
		expect(t, "high", begin("high", "b"), "begun")
		expect(t, "its end", l.end("b", "high", due, tokens["high"], 7, Succeeded), "succeeded")
		expect(t, "low after it", begin("low", "a"), "begun")
		expect(t, "its end", l.end("a", "low", due, tokens["low"], 7, Succeeded), "succeeded")

		due = due.Add(time.Second)
		expect(t, "the first", begin("busy", "a"), "begun")
		expect(t, "high beside it", begin("high", "b"), "full")
		expect(t, "its end", l.end("a", "busy", due, tokens["busy"], 7, Succeeded), "succeeded")
		l.exec(`UPDATE coterie.group_wait SET asked_at = asked_at - interval '3s'`)
		expect(t, "low, when high asks no more", begin("low", "a"), "begun")
		if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.group_wait WHERE job <> 'high'`); n != 0 {
			t.Errorf("%d jobs wait that have begun", n)
		}
	})
}

func TestAPausedJobIsNotBegunWhoeverAsks(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		d := l.define(Definition{Name: "tidy"})
		token := l.hand("tidy", "a")
		due := l.clock().Truncate(time.Second).Add(time.Second)
		for _, job := range []string{"tidy", ""} {
			if changed, err := PauseJobs(l.Context(), l.db.Operator().DB, job, "kim", "trial"); err != nil || !changed {
				t.Fatalf("pause: %v, %v", changed, err)
			}
			expect(t, "in a pause", l.begin("a", d, due, token, 1), "changed")
			if changed, err := UnpauseJobs(l.Context(), l.db.Operator().DB, job, "kim", ""); err != nil || !changed {
				t.Fatalf("unpause: %v, %v", changed, err)
			}
		}
		expect(t, "afterwards", l.begin("a", d, due, token, 1), "begun")
	})
}

func TestAnAttemptIsBegunOnceAndOnlyAfterOneThatFailed(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	d := l.define(Definition{Name: "tidy", Retries: 2})
	due := l.clock().Truncate(time.Second).Add(time.Second)
	again := func(node string, token int64, nonce int64, attempt int) string {
		var answer string
		err := l.nodes[node].Get(&answer, `SELECT coterie.run_again('tidy', $1, $2, $3, $4, $5, '')`, due, token, nonce, d.Generation, attempt)
		return answer + state(l, err)
	}
	token := l.hand("tidy", "a")
	expect(t, "before the first", again("a", int64(token), 1, 2), "accounted")
	expect(t, "first", l.begin("a", d, due, token, 1), "begun")
	expect(t, "while it is open", again("a", int64(token), 2, 2), "running")
	expect(t, "its end", l.end("a", "tidy", due, token, 1, Failed), "failed")
	expect(t, "with another's token", again("b", int64(token), 2, 2), "lost")
	expect(t, "one left out", again("a", int64(token), 2, 3), "accounted")
	expect(t, "second", again("a", int64(token), 2, 2), "begun")
	expect(t, "second, said twice", again("a", int64(token), 2, 2), "begun")
	expect(t, "its end by the first", l.end("a", "tidy", due, token, 1, Succeeded), "none")
	next := l.hand("tidy", "b")
	expect(t, "third, which closes the second as lost", again("b", int64(next), 3, 3), "begun")
	expect(t, "the end of the second", l.end("a", "tidy", due, token, 2, Succeeded), "none")
	expect(t, "the end of the third", l.end("b", "tidy", due, next, 3, Succeeded), "succeeded")
	expect(t, "after a success", again("b", int64(next), 4, 4), "accounted")
	if kinds := get[string](l, l.db.Pool, `SELECT string_agg(kind || ' ' || coalesce(detail->>'attempt', '-'), ', ' ORDER BY id) FROM coterie.event WHERE kind LIKE 'run.%'`); kinds != "run.retried 2, run.lost -, run.retried 3, run.refused -" {
		t.Errorf("the ledger says %s", kinds)
	}
	if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.run`); n != 1 {
		t.Errorf("%d rows", n)
	}
}
