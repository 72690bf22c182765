package console

import (
	"net/http"
	"strconv"
	"strings"
)

// answer is a whole response, computed before anything is written.
type answer struct {
	code   int
	kind   string // content type
	header [][2]string
	body   []byte
}

func plain(code int, text string) answer {
	return answer{code: code, kind: "text/plain; charset=utf-8", body: []byte(text + "\n")}
}

func (a answer) with(key, value string) answer {
	if value = headerText(value); value != "" {
		a.header = append(a.header, [2]string{key, value})
	}
	return a
}

func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	for _, kv := range a.header {
		h.Set(kv[0], kv[1])
	}
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.code)
	// Whoever asked may be gone by now; there is nobody left to tell.
	_, _ = w.Write(a.body)
}

// headerText makes a text fit to stand in a header: some load balancers reject
// the whole answer when one holds more than printable ASCII.
func headerText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, oneLine(s))
	return s[:min(len(s), 200)]
}

// oneLine keeps a text from breaking out of its line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// told is a route for people and programs that read.
func (c *Console) told(f func(Snapshot, *http.Request) answer) route {
	return route{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f(c.Snapshot(), r).write(w)
	})}
}

// probe is a route for load balancers and their like, and is counted.
func (c *Console) probe(name string, f func(Snapshot, *http.Request) answer) route {
	return route{probe: name, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := f(c.Snapshot(), r)
		c.Metrics.probed(name, a.code)
		a.write(w)
	})}
}
