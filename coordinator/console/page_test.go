package console

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pageOf returns the page, after checking that it is sound.
func pageOf(t *testing.T, s Snapshot) string {
	t.Helper()
	got := get(t, showing(s), "/")
	body := got.Body.String()
	if got.Code != 200 || got.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %s", got.Code, got.Header().Get("Content-Type"))
	}
	if len(body) > 60<<10 {
		t.Errorf("the page weighs %d bytes", len(body))
	}
	wellFormed(t, body)
	return body
}

var void = regexp.MustCompile(`<((?:meta|link|br)[^>]*)>`)

// wellFormed reads the page as XML, which forgives less than browsers do.
func wellFormed(t *testing.T, body string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(void.ReplaceAllString(body, "<$1/>")))
	d.Entity = xml.HTMLEntity
	ids := map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "script", "img", "iframe", "form", "object", "base":
			t.Errorf("the page has a %s", start.Name.Local)
		}
		for _, a := range start.Attr {
			switch name := a.Name.Local; {
			case name == "id" && ids[a.Value]:
				t.Errorf("two elements with id %s", a.Value)
			case name == "id":
				ids[a.Value] = true
			case name == "src", name == "style", strings.HasPrefix(name, "on"):
				t.Errorf("%s has an attribute %s", start.Name.Local, name)
			case name == "href" && !strings.HasPrefix(a.Value, "/") && !strings.HasPrefix(a.Value, "data:image/svg+xml,"):
				t.Errorf("a link leads to %s", a.Value)
			}
		}
	}
}

func TestThePageTellsTheStory(t *testing.T) {
	body := pageOf(t, sample())
	for _, want := range []string{
		`<html lang="en">`, `<meta http-equiv="refresh" content="10">`, "<title>deploy-prod: Degraded</title>",
		"2 of 4 nodes are ready. 1 thing needs attention.",
		"ana: kernel update; report-nightly is still running",
		`<td class="warn">draining</td>`, `<td class="bad">dead</td>`,
		"Remedy:</span> mount it again",
		`<td class="num bad"`, "overdue 7 min", "2 failures in a row: exit code 3: cannot reach repo",
		`<td class="marks"><b class="good">S</b><b class="bad">T</b><b class="bad">F</b><b class="bad">F</b></td>`,
		`<td class="warn">nobody</td>`, "kernel update; by ana, goal drained",
		"Told by node app-a",
		`<h2 id="trusts">Trust between servers`, `<td class="good">ok</td>`, `<td class="bad">refused</td>`, "Remedy:</span> start the server of app-d, or correct trust.address there",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if overdue, well := strings.Index(body, ">index-rebuild<"), strings.Index(body, ">agent-sweep<"); overdue < 0 || overdue > well {
		t.Errorf("a job in trouble does not come first: %d, %d", overdue, well)
	}
	alone := sample()
	alone.Docs["trusts"] = Document{Rows: []byte("[]"), AsOf: time.Now()}
	if strings.Contains(pageOf(t, alone), "Trust between servers") {
		t.Error("the page speaks of trust where nobody takes part in it")
	}
}

func TestThePageDoesNotTellThePastAsThePresent(t *testing.T) {
	s := sample()
	lapsed(&s)
	body := pageOf(t, s)
	for _, want := range []string{
		`<p class="sentence">The database has been unreachable for 42 min.</p>`,
		"Last known: 2 of 4 nodes are ready.", "connection refused", "Jobs here have stopped until it is back", "not trusted",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	s.Beaten, s.Trusted = time.Now().Add(-2*time.Second), time.Now().Add(150*time.Second)
	if body := pageOf(t, s); !strings.Contains(body, "Jobs here stop in 2 min unless it comes back") {
		t.Errorf("the page does not say when jobs stop:\n%s", body)
	}
	body = pageOf(t, Snapshot{Cluster: "deploy-prod", Node: "app-a", Started: time.Now(), Err: "connection refused"})
	for _, want := range []string{"The database is unreachable.", "Nothing is known of the cluster yet.", "Nothing begins here before it answers."} {
		if !strings.Contains(body, want) {
			t.Errorf("at the start the page lacks %s", want)
		}
	}
	s = sample()
	s.Turned = time.Now().Add(-time.Minute)
	if body := pageOf(t, s); !strings.Contains(body, "The agent stands still.") {
		t.Error("the page does not say that the agent stands still")
	}
}

func TestThePageAllowsNothingFromElsewhere(t *testing.T) {
	got := get(t, showing(sample()), "/?still")
	body := got.Body.String()
	policy := got.Header().Get("Content-Security-Policy")
	_, rest, _ := strings.Cut(body, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	digest := sha256.Sum256([]byte(style))
	for _, want := range []string{"default-src 'none'", "style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'",
		"frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
		t.Errorf("the policy is lax: %s", policy)
	}
	if strings.Contains(body, "http-equiv") {
		t.Error("a page that is to stand still reads itself again")
	}
	if foreign := regexp.MustCompile(`(?i)(https?:)?//[a-z]`).FindString(strings.ReplaceAll(body, "http://www.w3.org/2000/svg", "")); foreign != "" {
		t.Errorf("the page names another host: %s", foreign)
	}
}

// hostile replaces every text in a document.
func hostile(t *testing.T, d Document, text string) Document {
	t.Helper()
	var v any
	if err := json.Unmarshal(d.Rows, &v); err != nil {
		t.Fatal(err)
	}
	var spoil func(any) any
	spoil = func(v any) any {
		switch v := v.(type) {
		case string:
			return text
		case []any:
			for i := range v {
				v[i] = spoil(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = spoil(v[k])
			}
		}
		return v
	}
	rows, err := json.Marshal(spoil(v))
	if err != nil {
		t.Fatal(err)
	}
	return Document{Rows: rows, AsOf: d.AsOf}
}

func TestForeignTextStaysText(t *testing.T) {
	for _, text := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'onmouseover='alert(1)`, `</style></title><script>`,
		"{{.Cluster}}", "javascript:alert(1)", "a\x00b\x1b[31m\u202egnp.exe\u200b", strings.Repeat("<&\"'>", 400),
	} {
		s := sample()
		for name, d := range s.Docs {
			s.Docs[name] = hostile(t, d, text)
		}
		s.Cluster, s.Node, s.Goal, s.GoalBy, s.GoalReason, s.State, s.Message, s.Err = text, text, text, text, text, text, text, text
		s.Segments = []Segment{{text, false, text}, {text, true, text}}
		body := pageOf(t, s) // fails for a tag or an attribute that must not be there
		for _, r := range body {
			if r < ' ' && r != '\n' || r == '\u202e' || r == '\u200b' {
				t.Errorf("the page holds %U", r)
			}
		}
		for _, path := range []string{"/lb", "/check", "/role/" + "x"} {
			got := get(t, showing(s), path)
			for key, values := range got.Header() {
				if strings.ContainsFunc(values[0], func(r rune) bool { return r < ' ' || r > '~' }) {
					t.Errorf("%s: header %s: %q", path, key, values[0])
				}
			}
		}
	}
}

func TestAHeavyClusterMakesNoHeavyPage(t *testing.T) {
	s := sample()
	var jobs, leases []map[string]any
	for i := range 1000 {
		name := fmt.Sprintf("%04d-%s", i, strings.Repeat("<", 190))
		jobs = append(jobs, map[string]any{"name": name, "last_outcome": "failed", "message": strings.Repeat("&", 500)})
		leases = append(leases, map[string]any{"name": name, "holder": name, "valid": true, "wanted_by": []string{name, name}})
	}
	for list, rows := range map[string]any{"jobs": jobs, "leases": leases} {
		doc, err := json.Marshal(rows)
		if err != nil {
			t.Fatal(err)
		}
		s.Docs[list] = Document{Rows: doc, AsOf: time.Now()}
	}
	if body := pageOf(t, s); !regexp.MustCompile(`and 9\d\d more in <a href="/jobs.json">`).MatchString(body) {
		t.Error("the page does not say what it leaves out")
	}
}

func TestColumnsOfAnotherKindDoNotBreakThePage(t *testing.T) {
	s := sample()
	for name := range s.Docs {
		s.Docs[name] = Document{Rows: json.RawMessage(`[{"name":1,"node":[1],"state":{},"goal":true,"wanted_by":"x","last_took":"soon","detail":7,"at":0}]`), AsOf: time.Now()}
	}
	pageOf(t, s)
	for name := range s.Docs {
		s.Docs[name] = Document{Rows: json.RawMessage(`"no list at all"`)}
	}
	pageOf(t, s)
}

func TestThePageIsDrawnOnceASecond(t *testing.T) {
	asked := 0
	h := (&Console{Snapshot: func() Snapshot {
		asked++
		return Snapshot{Node: fmt.Sprint("app-", asked)}
	}}).Handler()
	first, second := serve(h, "GET", "/?still").Body.String(), serve(h, "GET", "/?still").Body.String()
	if first != second || asked < 2 {
		t.Error("two requests in a second had two pages drawn")
	}
}

// contrast is that of WCAG 2.
func contrast(t *testing.T, a, b string) float64 {
	light := func(s string) float64 {
		s = strings.TrimPrefix(s, "#")
		if len(s) == 3 {
			s = string([]byte{s[0], s[0], s[1], s[1], s[2], s[2]})
		}
		var sum float64
		for i, weight := range []float64{.2126, .7152, .0722} {
			n, err := strconv.ParseUint(s[2*i:2*i+2], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			c := float64(n) / 255
			if c <= .04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+.055)/1.055, 2.4)
			}
			sum += weight * c
		}
		return sum
	}
	x, y := light(a), light(b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

func TestColoursCanBeReadInTheLightAndInTheDark(t *testing.T) {
	schemes := regexp.MustCompile(`:root\{([^}]*)\}`).FindAllStringSubmatch(pageCSS, -1)
	if len(schemes) != 2 {
		t.Fatalf("%d schemes", len(schemes))
	}
	for _, scheme := range schemes {
		colour := map[string]string{}
		for _, m := range regexp.MustCompile(`--(\w+):(#\w+)`).FindAllStringSubmatch(scheme[1], -1) {
			colour[m[1]] = m[2]
		}
		for _, text := range []string{"fg", "dim", "good", "warn", "bad"} {
			for _, ground := range []string{"bg", "soft"} {
				if c := contrast(t, colour[text], colour[ground]); c < 4.5 {
					t.Errorf("%s %s on %s %s: contrast %.1f", text, colour[text], ground, colour[ground], c)
				}
			}
		}
	}
}
