package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// ear is a hook that remembers.
type ear struct {
	mu    sync.Mutex
	heard []string
	deaf  int // times
}

func (e *ear) hook(node string) []Hook {
	return []Hook{{Name: "ear", Timeout: time.Minute, Action: Func(func(_ context.Context, r Run) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.deaf > 0 {
			e.deaf--
			return errors.New("what?")
		}
		e.heard = append(e.heard, node+" "+r.Job)
		return nil
	})}}
}

func (l *lab) notify(node string, hooks []Hook) {
	l.Helper()
	r := &Runner{DB: l.nodes[node].DB, Node: node, Now: time.Now}
	if err := r.Notify(l.Context(), get[int64](l, l.db.Pool, `SELECT incarnation FROM coterie.session WHERE node = $1`, node), hooks); err != nil {
		l.Fatal(err)
	}
}

// run runs a slot of a job to an end.
func (l *lab) run(d Definition, node string, nonce int64, outcome Outcome) {
	l.Helper()
	token, due := l.hand(d.Name, node), l.clock()
	expect(l, "begin", l.begin(node, d, due, token, nonce), "begun")
	expect(l, "end", l.end(node, d.Name, due, token, nonce, outcome), string(outcome))
}

func (l *lab) notices() string {
	l.Helper()
	return get[string](l, l.db.Pool, `SELECT coalesce(string_agg(kind || ' ' || times, ', ' ORDER BY id), '') FROM coterie.notices`)
}

func TestTroubleIsToldWhenItBeginsAndWhenItEnds(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		d := l.define(Definition{Name: "tidy"})
		l.run(d, "a", 1, Succeeded)
		expect(t, "after a success", l.notices(), "")
		l.run(d, "a", 2, Failed)
		l.run(d, "a", 3, TimedOut)
		l.run(d, "a", 4, Failed)
		expect(t, "after three failures", l.notices(), "failed 1")
		l.exec(`UPDATE coterie.trouble SET told_at = coterie.clock() - interval '61min'`)
		l.run(d, "a", 5, Failed)
		expect(t, "an hour later", l.notices(), "failed 1, failed 4")
		l.run(d, "a", 6, Succeeded)
		l.run(d, "a", 7, Succeeded)
		expect(t, "after it succeeds", l.notices(), "failed 1, failed 4, recovered 4")
	})
}

func TestWhatIsTriedAgainIsNotToldYet(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	d := l.define(Definition{Name: "tidy", Retries: 1})
	l.run(d, "a", 1, Failed)
	expect(t, "after the first attempt", l.notices(), "")
}

func TestMissedAndLostSlotsAreTold(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	d := l.define(Definition{Name: "tidy"})
	token, due := l.hand("tidy", "a"), l.clock()
	expect(t, "begin", l.begin("a", d, due, token, 7), "begun")
	token = l.hand("tidy", "b")
	get[int64](l, l.nodes["b"], `SELECT coterie.run_account('tidy', $1, 'missed', ARRAY[$2::timestamptz], ARRAY['nobody was there'], NULL)`, int64(token), due.Add(time.Second))
	if _, err := l.nodes["b"].Exec(`SELECT * FROM coterie.run_resume('tidy', $1)`, int64(token)); err != nil {
		t.Fatal(err)
	}
	if got := l.notices(); !strings.Contains(got, "missed 1") || !strings.Contains(got, "lost") {
		t.Errorf("got %s", got)
	}
}

func TestANoticeIsToldOnceByTheNodeThatRanIt(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b", "c")
	var e ear
	for i := range 5 {
		d := Definition{Name: fmt.Sprintf("job-%d", i), Schedule: "@every 1s", Action: "ok"}
		l.apply(append(l.current(), d)...)
	}
	for i, d := range l.current() {
		l.run(d, "a", int64(i+1), Failed)
	}
	var wg sync.WaitGroup
	for range 3 {
		for _, node := range []string{"a", "b", "c"} {
			wg.Go(func() { l.notify(node, e.hook(node)) })
		}
	}
	wg.Wait()
	l.exec(`UPDATE coterie.notice SET at = at - interval '1min'`) // others would take over now
	for _, node := range []string{"a", "b", "c"} {
		l.notify(node, e.hook(node))
	}
	if len(e.heard) != 5 || strings.Contains(strings.Join(e.heard, ","), "b job") {
		t.Errorf("heard %q", e.heard)
	}
}

func TestANoticeOfADeadNodeIsToldByAnother(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	var e ear
	l.run(l.define(Definition{Name: "tidy"}), "a", 1, Failed)
	l.notify("b", e.hook("b"))
	if len(e.heard) != 0 {
		t.Errorf("b told what is a's: %q", e.heard)
	}
	// a takes it, and dies while it tells.
	l.exec(`UPDATE coterie.notice SET sender = 'a', incarnation = 1`)
	l.exec(`SELECT coterie.session_end('a', 1, 'crash', 'test')`)
	l.notify("b", e.hook("b"))
	l.notify("b", e.hook("b"))
	if got := strings.Join(e.heard, ","); got != "b tidy" {
		t.Errorf("heard %q", got)
	}
}

func TestWhatCannotBeToldIsTriedAgain(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	e := ear{deaf: 1}
	l.run(l.define(Definition{Name: "tidy"}), "a", 1, Failed)
	l.notify("a", e.hook("a"))
	expect(t, "why not", get[string](l, l.db.Pool, `SELECT error FROM coterie.notices WHERE sent_at IS NULL`), "hook ear: what?")
	l.notify("a", e.hook("a"))
	if len(e.heard) != 0 {
		t.Errorf("told again at once: %q", e.heard)
	}
	l.exec(`UPDATE coterie.notice SET retry_at = coterie.clock()`)
	l.notify("a", e.hook("a"))
	if len(e.heard) != 1 || get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.notices WHERE sent_at IS NOT NULL`) != 1 {
		t.Errorf("heard %q", e.heard)
	}
}

func TestAHookChoosesWhatItTells(t *testing.T) {
	for _, c := range []struct {
		h    Hook
		want bool
	}{
		{Hook{}, true},
		{Hook{On: []string{"lost", "failed"}}, true},
		{Hook{On: []string{"lost"}}, false},
		{Hook{Jobs: []string{"report-*"}}, true},
		{Hook{Jobs: []string{"report"}}, false},
		{Hook{On: []string{"failed"}, Jobs: []string{"x", "report-nightly"}}, true},
	} {
		if got := c.h.wants(notice{Kind: "failed", Job: "report-nightly"}); got != c.want {
			t.Errorf("%+v: got %v", c.h, got)
		}
	}
}
