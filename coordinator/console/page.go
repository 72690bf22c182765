package console

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"
)

// pageBytes is the most that a page may weigh: it must come quickly over the
// line that is left when things are bad.
const pageBytes = 60 << 10

// pageRows is how many rows the longest tables have; what is left out is said.
const pageRows = 40

// refresh is how often a browser reads the page again, in seconds.
const refresh = 10

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

// cell is a text, in a table or beside a word, and how it looks.
type cell struct {
	Text   string
	Class  string // good, warn, bad, dim; num; wrap; marks
	Title  string
	Remedy string
	Marks  []cell
}

type table struct {
	ID, Title string
	Age       string
	Heads     []cell
	Rows      [][]cell
	Empty     string
	Legend    []cell
	More      int
}

type page struct {
	Cluster  string
	Sentence string
	Known    string // what is to be read in the past tense
	Title    string
	Class    string
	Icon     template.URL
	Style    template.HTML
	Refresh  int
	Alerts   []cell
	Facts    []cell
	Tables   []table
	Foot     string
	Lists    []string
}

// page is the status page: one snapshot, told to people.
func (c *Console) page() func(Snapshot, *http.Request) answer {
	shape := template.Must(template.New("page").Parse(pageHTML))
	style := template.HTML("<style>" + pageCSS + "</style>") // our own file
	digest := sha256.Sum256([]byte(pageCSS))
	policy := fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		base64.StdEncoding.EncodeToString(digest[:]))
	header := [][2]string{{"Content-Security-Policy", policy}}
	draw := func(s Snapshot, every int) answer {
		p := s.page(c.Version)
		p.Style, p.Refresh, p.Tables = style, every, s.tables(pageRows)
		var b bytes.Buffer
		for {
			if err := shape.Execute(&b, p); err != nil {
				return plain(http.StatusInternalServerError, oneLine(err.Error()))
			}
			// Long names must not make it heavy.
			if b.Len() <= pageBytes || !halve(p.Tables) {
				return answer{http.StatusOK, "text/html; charset=utf-8", header, b.Bytes()}
			}
			b.Reset()
		}
	}
	var moving, still drawn
	return func(s Snapshot, r *http.Request) answer {
		if r.URL.Query().Has("still") {
			return still.get(func() answer { return draw(s, 0) })
		}
		return moving.get(func() answer { return draw(s, refresh) })
	}
}

// drawn is a page that serves everybody for a second: however many ask, drawing
// takes no more of the agent than that.
type drawn struct {
	mu     sync.Mutex // guards what follows
	at     time.Time
	answer answer
}

func (d *drawn) get(draw func() answer) answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at.IsZero() || time.Since(d.at) > time.Second {
		d.answer, d.at = draw(), time.Now()
	}
	return d.answer
}

func (s Snapshot) page(version string) page {
	status := row[statusRow](s.Docs["status"])
	p := page{
		Cluster:  clip(s.Cluster, 80),
		Sentence: orElse(clip(string(status.Sentence), 300), s.sentence()),
		Class:    classOf(string(status.Status)),
		Alerts:   s.alerts(),
		Facts:    s.facts(),
		Lists:    Lists(),
		Foot: fmt.Sprintf("Told by node %s, coterie %s, at %s.",
			clip(s.Node, 80), clip(orElse(version, "of no version"), 80), s.now().UTC().Format("2006-01-02 15:04:05 UTC")),
	}
	word := clip(string(status.Status), 40)
	if len(p.Alerts) > 0 {
		// What was true is no longer known to be.
		p.Sentence, p.Known = p.Alerts[0].Title, "Last known: "+p.Sentence
		p.Class, word = "bad", p.Alerts[0].Title
	}
	p.Title = join(p.Cluster, strings.TrimRight(orElse(word, p.Sentence), "."))
	p.Icon = icon(p.Class)
	return p
}

// sentence is what can be said without the cluster's own.
func (s Snapshot) sentence() string {
	d, ok := s.Docs["nodes"]
	if !ok {
		return "Nothing is known of the cluster yet."
	}
	nodes, up := rows[nodeRow](d), 0
	for _, n := range nodes {
		if n.State == "ready" {
			up++
		}
	}
	return fmt.Sprintf("%d of %d nodes are ready.", up, len(nodes))
}

// alerts are what makes the rest of the page doubtful, worst first: a headline
// and what to know about it.
func (s Snapshot) alerts() []cell {
	var alerts []cell
	if ok, why := s.Turning(); !ok {
		alerts = append(alerts, cell{Title: "The agent stands still.", Class: "bad",
			Text: "In the agent " + why + ". What follows is what it knew before."})
	}
	if s.Err == "" {
		return alerts
	}
	a := cell{Title: "The database is unreachable.", Class: "bad", Text: clip(s.Err, 200) + "."}
	if s.Beaten.IsZero() {
		a.Text += " Nothing begins here before it answers."
		return append(alerts, a)
	}
	gone := brief(time.Since(s.Beaten))
	a.Title = "The database has been unreachable for " + gone + "."
	a.Text += " What follows is what " + clip(s.Node, 80) + " knew " + gone + " ago."
	if trust := time.Until(s.Trusted); trust > 0 {
		a.Text += " Jobs here stop in " + brief(trust) + " unless it comes back; user sessions are not touched."
	} else {
		a.Text += " Jobs here have stopped until it is back; user sessions are not touched."
	}
	return append(alerts, a)
}

// facts are about the node that answers.
func (s Snapshot) facts() []cell {
	word, reason := s.LB()
	facts := []cell{
		{Title: "This node", Text: clip(orElse(s.Node, "-"), 80)},
		{Title: "Goal", Text: clip(orElse(s.Goal, "-"), 40)},
		{Title: "State", Text: clip(orElse(s.State, "not joined"), 40), Class: classOf(s.State)},
		{Title: "Load balancers are told", Text: clip(join(string(word), reason), 120), Class: classOf(string(word))},
	}
	trust := cell{Title: "Session trusted for", Text: "not trusted", Class: "bad"}
	acts := cell{Title: "Acts for", Text: "nothing"}
	if left := time.Until(s.Trusted); left > 0 {
		trust.Text, trust.Class = brief(left), ""
		acts.Text = count(len(s.Held), "lease")
	}
	beat := cell{Title: "Last heartbeat", Text: "none yet", Class: "warn"}
	if !s.Beaten.IsZero() {
		beat.Text, beat.Class = fmt.Sprintf("%s, took %s", since(time.Since(s.Beaten)), millis(s.RTT)), ""
	}
	facts = append(facts, trust, beat, acts)
	var well []text
	for _, g := range s.segments() {
		if g.OK {
			well = append(well, text(g.Name))
			continue
		}
		facts = append(facts, cell{Title: "Fails: " + clip(g.Name, 40), Text: clip(orElse(g.Text, "no reason given"), 120), Class: "bad"})
	}
	if len(well) > 0 {
		facts = append(facts, cell{Title: "Works", Text: clip(string(joined(", ", well...)), 120), Class: "good"})
	}
	return facts
}

// icon shows in the browser's tab how things are.
func icon(class string) template.URL {
	colour := map[string]string{"good": "1c8a4f", "warn": "d98a1f", "bad": "c8322b"}[class]
	return template.URL("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Ccircle cx='4' cy='4' r='4' fill='%23" +
		orElse(colour, "7c8796") + "'/%3E%3C/svg%3E")
}

// classOf says how a word of ours looks. The word itself always stands there too.
func classOf(word string) string {
	switch word {
	case "Up", "ready", "OK", "succeeded", "good":
		return "good"
	case "Degraded", "Initializing", "joining", "draining", "drained", "leaving", "suspect",
		"DEGRADED", "skipped", "cancelled", "warning", "warn":
		return "warn"
	case "Down", "dead", "evicted", "out", "failed", "timed_out", "missed", "lost", "error", "critical", "bad",
		"STALE", "HUNG", "READ_ONLY", "FULL", "NOT_MOUNTED", "WRONG_SHARE", "OLD_GENERATION":
		return "bad"
	case "left", "note":
		return "dim"
	}
	return ""
}

// clean takes out of foreign text what could make it look like other text:
// control characters, and those that turn the direction of writing.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return '\u25a1'
		}
		return r
	}, oneLine(s))
}

// clip shortens foreign text to what a reader takes in.
func clip(s string, most int) string {
	runes := []rune(clean(s))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}
