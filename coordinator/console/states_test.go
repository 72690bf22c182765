package console

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, c *Console, path string) *httptest.ResponseRecorder {
	t.Helper()
	return request(t, c, http.MethodGet, path)
}

func request(t *testing.T, c *Console, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	return serve(c.Handler(), method, path)
}

func serve(h http.Handler, method, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = "localhost"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func showing(s Snapshot) *Console { return &Console{Snapshot: func() Snapshot { return s }} }

// lapsed is what a long absence of the database leaves of a snapshot.
func lapsed(s *Snapshot) {
	s.Err = "dial tcp 10.0.0.5:5432: connection refused"
	s.Beaten, s.Trusted = time.Now().Add(-42*time.Minute), time.Now().Add(-42*time.Minute+s.TTL-s.Margin)
	s.Segments[0] = Segment{"session", false, "not trusted for 41 min"}
	s.Segments[1] = Segment{"database", false, s.Err}
}

func TestEveryStateHasItsAnswerOnEveryRoute(t *testing.T) {
	tests := []struct {
		what                         string
		change                       func(*Snapshot)
		check, lb, live, ready, role int
		word, reason                 string
	}{
		{"ready", func(*Snapshot) {}, 200, 200, 200, 200, 200, "ready", ""},
		{"wanted drained, not yet draining", func(s *Snapshot) { s.Goal, s.GoalBy, s.GoalReason = "drained", "ana", "kernel update" },
			200, 404, 200, 200, 200, "draining", "drained by ana: kernel update"},
		{"draining", func(s *Snapshot) { s.Goal, s.State = "drained", "draining" }, 200, 404, 200, 200, 200, "draining", "drained"},
		{"drained", func(s *Snapshot) { s.Goal, s.State, s.Held = "drained", "drained", nil }, 200, 404, 200, 200, 503, "draining", "drained"},
		{"resumed, still draining", func(s *Snapshot) { s.State = "draining" }, 200, 404, 200, 200, 200, "draining", "the node is draining"},
		{"leaving", func(s *Snapshot) { s.State = "leaving" }, 200, 404, 200, 200, 200, "draining", "the node is leaving"},
		{"left", func(s *Snapshot) { s.State, s.Joined, s.Held = "left", false, nil }, 200, 503, 200, 503, 503, "out", "the node is left"},
		{"evicted", func(s *Snapshot) { s.State, s.Joined, s.Held, s.Message = "evicted", false, nil, "evicted by ana" },
			200, 503, 200, 503, 503, "out", "evicted by ana"},
		{"joining, share not proved", func(s *Snapshot) { s.State, s.Held, s.Share = "joining", nil, Share{} },
			200, 503, 200, 503, 503, "out", "the node is joining"},
		{"before the database answered", func(s *Snapshot) {
			*s = Snapshot{Node: "app-a", Started: time.Now(), Err: "connection refused"}
		}, 500, 503, 200, 503, 503, "out", "the node has not joined yet"},
		{"the database is away", lapsed, 500, 200, 200, 200, 503, "ready", "database away, this is the last word known"},
		{"the database is away while draining", func(s *Snapshot) { lapsed(s); s.Goal, s.State = "drained", "draining" },
			500, 404, 200, 200, 503, "draining", "database away, this is the last word known: drained"},
		{"one heartbeat failed", func(s *Snapshot) { s.Err = "timeout" }, 200, 200, 200, 200, 200, "ready", "database away, this is the last word known"},
		{"trust ran out", func(s *Snapshot) { s.Trusted = time.Now() }, 200, 200, 200, 200, 503, "ready", ""},
		{"the share hangs", func(s *Snapshot) { s.Segments[2] = Segment{"share", false, "HUNG: no answer for 2 s"} },
			500, 200, 200, 200, 200, "ready", ""},
		{"the loops stand", func(s *Snapshot) { s.Turned = time.Now().Add(-5 * time.Second) }, 500, 200, 503, 200, 200, "ready", ""},
		{"the schema is not known", func(s *Snapshot) { s.Schema = 0 }, 200, 200, 200, 503, 200, "ready", ""},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			s := sample()
			tt.change(&s)
			c := showing(s)
			for path, want := range map[string]int{
				"/check": tt.check, "/lb": tt.lb, "/live": tt.live, "/ready": tt.ready, "/role/primary": tt.role,
				"/": 200, "/status.json": 200, "/version": 200, "/robots.txt": 200, "/metrics": 200,
			} {
				for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
					if got := request(t, c, method, path).Code; got != want {
						t.Errorf("%s %s: %d, want %d", method, path, got, want)
					}
				}
			}
			got := get(t, c, "/lb")
			if got.Body.String() != tt.word+"\n" || got.Header().Get("Coterie-Reason") != tt.reason {
				t.Errorf("/lb says %q because %q, want %q because %q", got.Body, got.Header().Get("Coterie-Reason"), tt.word, tt.reason)
			}
		})
	}
}

func TestCheckNamesWhatFailsAndWhy(t *testing.T) {
	s := sample()
	c := showing(s)
	c.CheckPath = "/enportal/check.jsp"
	if got, want := get(t, c, "/enportal/check.jsp").Body.String(), "ok\n"+
		"  session   ok  trusted for 4.0 s\n"+
		"  database  ok  1.2 ms\n"+
		"  share     ok  OK\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	s.Segments[1] = Segment{"database", false, "dial tcp 10.0.0.5:5432:\nconnection refused"}
	s.Segments[2] = Segment{"share", false, "HUNG: no answer for 2 s"}
	if got, want := get(t, showing(s), "/check").Body.String(), "failing: database, share\n"+
		"  session   ok    trusted for 4.0 s\n"+
		"  database  FAIL  dial tcp 10.0.0.5:5432: connection refused\n"+
		"  share     FAIL  HUNG: no answer for 2 s\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	s.Turned = time.Now().Add(-time.Minute)
	if got, want := get(t, showing(s), "/check").Body.String(), "failing: agent, database, share\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got:\n%swant it to begin with:\n%s", got, want)
	}

	r := httptest.NewRequest("GET", "/check", nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	s.Turned = time.Now()
	showing(s).Handler().ServeHTTP(w, r)
	if got, want := w.Body.String(), `{"schema":"coterie.check/v1","node":"app-a","ok":false,"failing":["database","share"],"segments":[`+
		`{"name":"session","ok":true,"text":"trusted for 4.0 s"},`+
		`{"name":"database","ok":false,"text":"dial tcp 10.0.0.5:5432:\nconnection refused"},`+
		`{"name":"share","ok":false,"text":"HUNG: no answer for 2 s"}]}`+"\n"; w.Code != 500 || got != want {
		t.Errorf("got %d\n%swant 500\n%s", w.Code, got, want)
	}
}

func TestARoleIsAnsweredByItsHolderWithinTrust(t *testing.T) {
	s := sample()
	for _, tt := range []struct {
		path, body, token string
		code              int
	}{
		{"/role/primary", "app-a\n", "41", 200},
		{"/role/primary?any", "app-a\n", "41", 200},
		{"/role/job/index-rebuild", "held by nobody known\n", "", 503},
		{"/role/job/index-rebuild?any", "held by nobody known\n", "", 503},
		{"/role/no-such-lease?any", "held by nobody known\n", "", 503},
		{"/role/", "held by nobody known\n", "", 503},
	} {
		got := get(t, showing(s), tt.path)
		if got.Code != tt.code || got.Body.String() != tt.body || got.Header().Get("Coterie-Token") != tt.token {
			t.Errorf("%s: %d %q token %q", tt.path, got.Code, got.Body, got.Header().Get("Coterie-Token"))
		}
	}
	s.Held = nil // handed over; the list of leases is older than that
	if got := get(t, showing(s), "/role/primary?any"); got.Code != 503 {
		t.Errorf("a holder that gave back is still named: %d %q", got.Code, got.Body)
	}
	if got := get(t, showing(s), "/role/job/audit-purge?any"); got.Code != 200 || got.Body.String() != "app-b\n" {
		t.Errorf("the holder elsewhere: %d %q", got.Code, got.Body)
	}
	if got := get(t, showing(s), "/role/job/audit-purge"); got.Code != 503 || got.Body.String() != "held by app-b\n" {
		t.Errorf("the holder elsewhere, asked without any: %d %q", got.Code, got.Body)
	}
}

func TestWhatIsNotForReadingIsRefused(t *testing.T) {
	c := showing(sample())
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW"} {
		for _, path := range []string{"/", "/lb", "/status.json", "/no-such-page"} {
			got := request(t, c, method, path)
			if got.Code != 405 || got.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
				t.Errorf("%s %s: %d, Allow %q", method, path, got.Code, got.Header().Get("Allow"))
			}
		}
	}
}

func TestListsComeWithTheirAgeAndNeverAsEmptyOnes(t *testing.T) {
	s := sample()
	s.Now = time.Date(2026, 11, 20, 13, 21, 7, 0, time.UTC)
	s.Docs = map[string]Document{"storages": {Rows: []byte(`[{"node":"app-a","state":"OK"}]`), AsOf: time.Now().Add(-7 * time.Second)}}
	got := get(t, showing(s), "/storages.json").Body.Bytes()
	var list struct {
		Schema string
		AsOf   time.Time       `json:"as_of"`
		Age    float64         `json:"age_seconds"`
		Rows   json.RawMessage `json:"rows"`
	}
	err := json.Unmarshal(got, &list)
	age := time.Duration(list.Age * float64(time.Second))
	// The list grows older while it is asked for, by whatever time this process was not let run.
	if off := s.Now.Sub(list.AsOf) - age; err != nil || list.Schema != "coterie.storages/v1" || age < 7*time.Second || off.Abs() > 2*time.Millisecond ||
		string(list.Rows) != `[{"node":"app-a","state":"OK"}]` {
		t.Errorf("%v, %v apart: %s", err, off, got)
	}
	for _, name := range Lists() {
		if name == "status" || name == "storages" {
			continue
		}
		got := get(t, showing(s), "/"+name+".json")
		if want := `{"schema":"coterie.` + name + `/v1","error":"not read from the database yet"}` + "\n"; got.Code != 503 || got.Body.String() != want {
			t.Errorf("%s never read: %d %s", name, got.Code, got.Body)
		}
	}
}
