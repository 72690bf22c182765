package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// check is 200 when every segment works, else 500 with the failing ones.
func check(s Snapshot, r *http.Request) answer {
	segments := s.segments()
	var failing []string
	for _, g := range segments {
		if !g.OK {
			failing = append(failing, g.Name)
		}
	}
	code := http.StatusOK
	if len(failing) > 0 {
		code = http.StatusInternalServerError
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		return document(code, struct {
			Schema   string    `json:"schema"`
			Node     string    `json:"node"`
			OK       bool      `json:"ok"`
			Failing  []string  `json:"failing"`
			Segments []Segment `json:"segments"`
		}{"coterie.check/v1", s.Node, code == http.StatusOK, append([]string{}, failing...), segments})
	}
	var b strings.Builder
	if len(failing) == 0 {
		b.WriteString("ok\n")
	} else {
		fmt.Fprintf(&b, "failing: %s\n", strings.Join(failing, ", "))
	}
	lines := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, g := range segments {
		word := "ok"
		if !g.OK {
			word = "FAIL"
		}
		fmt.Fprintf(lines, "  %s\t%s\t%s\n", g.Name, word, oneLine(g.Text))
	}
	lines.Flush() // to memory: cannot fail
	return plain(code, strings.TrimRight(b.String(), "\n"))
}

// lb tells a load balancer whether to send users here: by code and by word.
func lb(s Snapshot, _ *http.Request) answer {
	word, reason := s.LB()
	code := http.StatusOK
	switch word {
	case LBDraining:
		code = http.StatusNotFound
	case LBOut:
		code = http.StatusServiceUnavailable
	}
	return plain(code, string(word)).with("Coterie-Reason", reason)
}

func live(s Snapshot, _ *http.Request) answer {
	if ok, why := s.Turning(); !ok {
		return plain(http.StatusServiceUnavailable, "not live: "+why)
	}
	return plain(http.StatusOK, "live")
}

func ready(s Snapshot, _ *http.Request) answer {
	if ok, why := s.Ready(); !ok {
		return plain(http.StatusServiceUnavailable, "not ready: "+why)
	}
	return plain(http.StatusOK, "ready")
}

const rolePrefix = "/role/"

// role is 200 while this node holds a lease and may act for it; with ?any while
// anybody does, as far as is known.
func role(s Snapshot, r *http.Request) answer {
	lease := strings.TrimPrefix(r.URL.Path, rolePrefix)
	if token, held := s.Token(lease); held {
		return plain(http.StatusOK, s.Node).with("Coterie-Token", strconv.FormatInt(token, 10))
	}
	holder := s.holder(lease)
	if r.URL.Query().Has("any") && holder != "" {
		return plain(http.StatusOK, oneLine(holder))
	}
	if holder == "" {
		return plain(http.StatusServiceUnavailable, "held by nobody known")
	}
	return plain(http.StatusServiceUnavailable, "held by "+oneLine(holder))
}

// holder is who else held a lease when the list of leases was last read. What
// this node may not act for any more, it does not claim to hold either.
func (s Snapshot) holder(lease string) string {
	var rows []struct{ Name, Holder string }
	if json.Unmarshal(s.Docs["leases"].Rows, &rows) != nil {
		return "" // never read
	}
	i := slices.IndexFunc(rows, func(l struct{ Name, Holder string }) bool { return l.Name == lease })
	if i < 0 || rows[i].Holder == s.Node {
		return ""
	}
	return rows[i].Holder
}
