package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func text(p Progress) string {
	var b strings.Builder
	if p.Percent != nil {
		fmt.Fprintf(&b, "%d%% ", *p.Percent)
	}
	if p.Message != nil {
		fmt.Fprintf(&b, "%s ", *p.Message)
	}
	if p.Checkpoint != nil {
		fmt.Fprintf(&b, "at %s", *p.Checkpoint)
	}
	return strings.TrimSpace(b.String())
}

func TestAProgramSaysHowFarItIsInItsOwnWay(t *testing.T) {
	for line, want := range map[string]string{
		`{"percent": 40, "message": "reading", "checkpoint": "4711"}`: "40% reading at 4711",
		`{"checkpoint": ""}`: "at",
		"40 reading users":   "40% reading users",
		"40% reading":        "40% reading",
		"100":                "100%",
		"101 dalmatians":     "101 dalmatians",
		"reading":            "reading",
		"{broken":            "{broken",
		"":                   "",
	} {
		if got := text(parseProgress(line)); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	var got []string
	l := &lines{take: func(line string) { got = append(got, line) }}
	for _, part := range []string{"one\ntw", "o\n\n", strings.Repeat("x", lineMost+1), "y\nthree\nnever ended"} {
		if _, err := io.WriteString(l, part); err != nil {
			t.Error(err)
		}
	}
	if strings.Join(got, " ") != "one two three" {
		t.Errorf("got %q", got)
	}
}

func TestProgressIsWrittenOnceASecondAndNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		fails := 2
		r := &reporter{more: make(chan struct{}, 1), send: func(_ context.Context, p Progress) error {
			if fails--; fails >= 0 {
				return errors.New("the database is away")
			}
			sent = append(sent, text(p))
			return nil
		}}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.run(ctx) }()
		r.report(parseProgress(`{"checkpoint": "first"}`))
		for i := range 1000 {
			r.report(parseProgress(fmt.Sprintf("%d step %d", i/10, i)))
			time.Sleep(10 * time.Millisecond)
		}
		stop()
		<-done
		if err := r.flush(t.Context()); err != nil {
			t.Error(err)
		}
		if len(sent) > 12 || sent[len(sent)-1] != "99% step 999" || !strings.HasSuffix(sent[0], "at first") {
			t.Errorf("%d statements: %q", len(sent), sent)
		}
	})
}

const reportSQL = `SELECT coterie.run_progress('tidy', $1, $2, $3, 50::smallint, 'half', $4)`

func TestAJobGoesOnElsewhereFromItsLastCheckpoint(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	d := l.define(Definition{Name: "tidy", OnLost: LostResume})
	old, due := l.hand("tidy", "a"), l.clock()
	expect(t, "a begins", l.begin("a", d, due, old, 7), "begun")
	report := func(node string, token, nonce int64, checkpoint string) bool {
		return get[bool](l, l.nodes[node], reportSQL, due, token, nonce, checkpoint)
	}
	if !report("a", int64(old), 7, "4711") || report("a", int64(old), 8, "4712") {
		t.Fatal("a's checkpoint was refused, or that of another nonce taken")
	}
	token := l.hand("tidy", "b")
	r := &Runner{DB: l.nodes["b"].DB, Node: "b"}
	at, err := r.callResume(t.Context(), "tidy", token)
	if err != nil || at.Checkpoint.String != "4711" || !at.CheckpointDue.Time.Equal(due) {
		t.Fatalf("b resumes at %q of %v, %v", at.Checkpoint.String, at.CheckpointDue.Time, err)
	}
	if report("a", int64(old), 7, "9999") {
		t.Error("a former holder replaced the checkpoint")
	}
	again := get[string](l, l.nodes["b"], `SELECT coterie.run_again('tidy', $1, $2, 9, $3, 2, '')`, due, int64(token), d.Generation)
	expect(t, "b begins the next attempt", again, "begun")
	expect(t, "b ends it", l.end("b", "tidy", due, token, 9, Succeeded), "succeeded")
	if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.progress`); n != 0 {
		t.Error("a checkpoint outlived the success")
	}
}

func TestOnlyARunsOwnUserSpeaksForItAtTheSocket(t *testing.T) {
	r := &Runner{Node: "a"}
	w := r.observe(performance{opened: opened{job: "tidy", due: aRun.Due, token: 42}, action: Exec{User: "65534"}, run: Run{Attempt: 2, Params: Params{"days": "7"}, Resume: Checkpoint{Text: "4711"}}})
	w.enter()
	uid := os.Geteuid()
	known := true
	handler := r.Local(func(*http.Request) (int, bool) { return uid, known })
	ask := func(method, path, body string) (int, string) {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(method, path, strings.NewReader(body)))
		return answer.Code, answer.Body.String()
	}
	if code, body := ask("GET", "/v1/runs/tidy?token=42", ""); code != 200 || !strings.Contains(body, `"checkpoint":"4711"`) || !strings.Contains(body, `"days":"7"`) {
		t.Errorf("got %d %s", code, body)
	}
	if code, _ := ask("PUT", "/v1/runs/tidy?token=42", `{"percent": 10, "checkpoint": "4712"}`); code != 200 || w.reporter.checkpoint().Text != "4712" {
		t.Errorf("got %d, checkpoint %q", code, w.reporter.checkpoint().Text)
	}
	for path, want := range map[string]int{
		"/v1/runs/tidy?token=41": 409, "/v1/runs/tody?token=42": 409, "/v1/runs/tidy": 400, "/v1/runs/tidy?token=-1": 400,
	} {
		if code, body := ask("PUT", path, `{"percent": 10}`); code != want {
			t.Errorf("%s: got %d %s, want %d", path, code, body, want)
		}
	}
	for _, body := range []string{`{"percent": 101}`, `{`, `{"checkpoint": "` + strings.Repeat("x", checkpointMost+1) + `"}`, strings.Repeat(" ", 3*lineMost)} {
		if code, _ := ask("PUT", "/v1/runs/tidy?token=42", body); code != 400 {
			t.Errorf("%.40s: got %d", body, code)
		}
	}
	uid = 65534
	if code, _ := ask("GET", "/v1/runs/tidy?token=42", ""); code != 200 {
		t.Errorf("the run's own user: got %d", code)
	}
	uid = 65533
	if code, _ := ask("PUT", "/v1/runs/tidy?token=42", `{"checkpoint": "evil"}`); code != 403 {
		t.Errorf("another user: got %d", code)
	}
	known = false
	if code, _ := ask("GET", "/v1/runs/tidy?token=42", ""); code != 403 {
		t.Errorf("somebody unknown: got %d", code)
	}
	known, uid = true, 0
	w.leave()
	if code, _ := ask("PUT", "/v1/runs/tidy?token=42", `{"percent": 10}`); code != 409 {
		t.Errorf("after the run: got %d", code)
	}
}

func TestAnApplicationThatWorksOnIsAskedUntilItIsDone(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked++
		switch {
		case q.Method == http.MethodPost:
			w.Header().Set("Location", "/runs/7")
			w.WriteHeader(202)
			fmt.Fprint(w, `{"state": "new", "percent": 0}`)
		case q.URL.Path != "/runs/7":
			w.WriteHeader(404)
		case asked < 4:
			fmt.Fprintf(w, `{"state": "busy", "percent": %d, "text": "step %d"}`, asked*20, asked)
		default:
			fmt.Fprint(w, `{"state": "done", "percent": 100}`)
		}
	}))
	defer server.Close()
	var said []string
	var output tail
	run := aRun
	run.Output, run.Report = &output, func(p Progress) { said = append(said, text(p)) }
	h := HTTP{URL: server.URL, Expect: 202, Success: "state=done", Failure: "state=failed", Progress: "percent", Message: "text", Poll: time.Millisecond}
	if _, err := h.Do(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(said, ", "); got != "0%, 40% step 2, 60% step 3, 100%" {
		t.Errorf("said %s", got)
	}
	asked, h.Failure = 0, "state=busy"
	if _, err := h.Do(t.Context(), run); err == nil || err.Error() != "the application says state=busy: step 2" {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerDoesNotLeadToAnotherServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://169.254.169.254/latest")
		w.WriteHeader(202)
		fmt.Fprint(w, `{"state": "new"}`)
	}))
	defer server.Close()
	var output tail
	run := aRun
	run.Output = &output
	h := HTTP{URL: server.URL, Success: "state=done", Poll: time.Millisecond}
	if _, err := h.Do(t.Context(), run); err == nil || err.Error() != "the answer names a place on another server" {
		t.Errorf("got %v", err)
	}
}
