package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var aRun = Run{Job: "tidy", Due: time.Date(2026, 11, 21, 10, 0, 0, 250e6, time.UTC), Token: 42, Attempt: 1, Node: "a"}

func TestACommandIsToldWhichRunItIs(t *testing.T) {
	var got Command
	exec := Exec{Argv: []string{"/bin/purge", "--days", "90"}, Dir: "/srv", User: "app", Env: []string{"LANG=de_DE", "COTERIE_TOKEN=0"},
		Spawn: func(_ context.Context, c Command) (Exit, error) { got = c; return Exit{}, nil }}
	exit, err := exec.Do(t.Context(), aRun)
	if err != nil || exit == nil || exit.Code != 0 {
		t.Fatalf("got %v, %v", exit, err)
	}
	want := Command{
		ID: "tidy@2026-11-21T10:00:00.25Z#42.1", Argv: exec.Argv, Dir: "/srv", User: "app",
		Env: []string{path, "LANG=de_DE", "COTERIE_JOB=tidy", "COTERIE_DUE_AT=2026-11-21T10:00:00.25Z", "COTERIE_TOKEN=42", "COTERIE_ATTEMPT=1", "COTERIE_NODE=a"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestACommandFailsByItsExit(t *testing.T) {
	for _, c := range []struct {
		exit Exit
		err  error
		want string
		code int
	}{
		{Exit{Code: 3}, nil, "exit code 3", 3},
		{Exit{Code: -1, Signal: "killed"}, nil, "killed ended it", -2},
		{Exit{}, errors.New("no such file"), "no such file", -2},
	} {
		exec := Exec{Spawn: func(context.Context, Command) (Exit, error) { return c.exit, c.err }}
		exit, err := exec.Do(t.Context(), aRun)
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if code := -2; exit != nil && exit.Code != c.code || exit == nil && c.code != code {
			t.Errorf("%s: got exit %v", c.want, exit)
		}
	}
}

func TestARequestCarriesTheTokenAndExpectsAStatus(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		got = q.Header
		status := http.StatusOK
		if _, err := fmt.Sscanf(q.URL.Path, "/%d", &status); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "%s done", q.Method)
	}))
	defer server.Close()
	for _, c := range []struct {
		path, method string
		expect       int
		want         string
	}{
		{"/200", "", 0, ""}, {"/204", "GET", 0, ""}, {"/202", "", 202, ""},
		{"/500", "", 0, "status 500, expected 2xx"}, {"/200", "", 202, "status 200, expected 202"},
	} {
		var output tail
		r := aRun
		r.Output = &output
		_, err := HTTP{URL: server.URL + c.path, Method: c.method, Expect: c.expect, Header: http.Header{"X-Key": {"k"}}}.Do(t.Context(), r)
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: got %v, want %q", c.path, err, c.want)
		}
		if c.path == "/500" && output.String() != "POST done" {
			t.Errorf("the answer is kept as %q", output.String())
		}
	}
	for name, want := range map[string]string{"Coterie-Job": "tidy", "Coterie-Token": "42", "Coterie-Due-At": "2026-11-21T10:00:00.25Z", "X-Key": "k"} {
		if got.Get(name) != want {
			t.Errorf("header %s is %q, want %q", name, got.Get(name), want)
		}
	}
}

func TestNoErrorOfARequestShowsItsAddress(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }))
	defer slow.Close()
	for _, h := range []HTTP{
		{URL: gone.URL + "/?key=geheim"}, {URL: "http://geheim:geheim@\x7f/"}, {URL: "geheim"}, {URL: "http://x/%zz?geheim"},
		{URL: slow.URL + "/?key=geheim", Timeout: 20 * time.Millisecond},
	} {
		_, err := h.Do(t.Context(), aRun)
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("got %v", err)
		}
	}
	_, err := HTTP{URL: slow.URL, Timeout: 20 * time.Millisecond}.Do(t.Context(), aRun)
	if err == nil || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Errorf("got %v", err)
	}
}

func TestTheTailIsTheEndOfTheOutput(t *testing.T) {
	for name, c := range map[string]struct {
		writes []string
		want   string
	}{
		"short":            {[]string{"one\n", "two\n"}, "one\ntwo"},
		"progress":         {[]string{"10%\r20%\r\n", "done"}, "10%\n20%\ndone"},
		"terminal codes":   {[]string{"\x1b[31mred\x1b[0m\x00\a\u009b2J\u202e"}, "\uFFFD[31mred\uFFFD[0m\uFFFD\uFFFD\uFFFD2J\uFFFD"},
		"not UTF-8":        {[]string{"caf\xe9 au lait"}, "caf\uFFFD au lait"},
		"from a line on":   {[]string{strings.Repeat("x", 5000) + "\n", strings.Repeat("y", 5000) + "\n", "end"}, strings.Repeat("y", 5000) + "\nend"},
		"one endless line": {[]string{strings.Repeat("z", 3*tailSize)}, strings.Repeat("z", tailSize)},
		"growing by cleaning": {[]string{strings.Repeat("\x01", tailSize)},
			strings.Repeat("\uFFFD", tailSize/3)},
		"nothing": {nil, ""},
	} {
		var output tail
		for _, w := range c.writes {
			if n, err := output.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%s: write: %d, %v", name, n, err)
			}
		}
		if got := output.String(); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestATailIsAlwaysFitToBeStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var output tail
		var all []byte
		for range rapid.IntRange(0, 20).Draw(t, "writes") {
			chunk := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "chunk")
			all = append(all, chunk...)
			if _, err := output.Write(chunk); err != nil {
				t.Fatal(err)
			}
		}
		got := output.String()
		if len(got) > tailSize || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }) {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
		if whole := strings.TrimRight(printable(all), "\n"); len(whole) <= tailSize && len(all) <= tailSize && got != whole || !strings.HasSuffix(whole, got) {
			t.Fatalf("%q is not the end of what was written", got)
		}
		if cap(output.buf) > 8*tailSize {
			t.Fatalf("the buffer grew to %d", cap(output.buf))
		}
	})
}

func ExampleParse() {
	s, err := Parse("30 2 * * *", "Europe/Paris")
	if err != nil {
		fmt.Println(err)
		return
	}
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	for range 3 {
		at = s.Next(at)
		fmt.Println(at.In(zone))
	}
	// Output:
	// 2026-03-28 02:30:00 +0100 CET
	// 2026-03-29 03:00:00 +0200 CEST
	// 2026-03-30 02:30:00 +0200 CEST
}
