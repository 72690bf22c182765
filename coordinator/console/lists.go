package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"time"
)

// document is an answer in JSON.
func document(code int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		return plain(http.StatusInternalServerError, oneLine(err.Error()))
	}
	return answer{code: code, kind: "application/json", body: append(body, '\n')}
}

// asOf is when a document was true, by the database's clock as far as that is
// known, and how long ago that is by this process's own.
func (s Snapshot) asOf(d Document) (at string, age float64) {
	passed := max(time.Since(d.AsOf), 0)
	return s.now().Add(-passed).UTC().Format(timeFormat), seconds(passed)
}

const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// seconds are whole milliseconds: more digits would only look exact.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

// list serves a document as it came from its view, with its age. A list that
// was never read is no empty list.
func list(name string) func(Snapshot, *http.Request) answer {
	return func(s Snapshot, _ *http.Request) answer {
		d, ok := s.Docs[name]
		if !ok {
			return document(http.StatusServiceUnavailable, struct {
				Schema string `json:"schema"`
				Error  string `json:"error"`
			}{"coterie." + name + "/v1", "not read from the database yet"})
		}
		at, age := s.asOf(d)
		var b bytes.Buffer
		fmt.Fprintf(&b, `{"schema":"coterie.%s/v1","as_of":%q,"age_seconds":%v,"rows":`, name, at, age)
		b.Write(d.Rows)
		b.WriteString("}\n")
		return answer{code: http.StatusOK, kind: "application/json", body: b.Bytes()}
	}
}

// Agent is what /status.json says of the agent that answers, whether or not
// there is a database: its member "agent".
type Agent struct {
	Cluster    string  `json:"cluster"`
	Node       string  `json:"node"`
	Goal       string  `json:"goal"`
	GoalBy     string  `json:"goal_by"`
	GoalReason string  `json:"goal_reason"`
	State      string  `json:"state"`
	Message    string  `json:"message"`
	LB         LB      `json:"lb"`
	LBReason   string  `json:"lb_reason"`
	Live       bool    `json:"live"`
	Ready      bool    `json:"ready"`
	Schema     int     `json:"schema_version"`
	UpSeconds  float64 `json:"up_seconds"`

	TrustSeconds float64 `json:"trust_seconds"` // how much longer leases may be acted for; 0 when they may not
	Heartbeat    struct {
		At         *string  `json:"at"` // when the last one was acknowledged, by the database's clock; null before
		AgeSeconds *float64 `json:"age_seconds"`
		RTT        float64  `json:"rtt_ms"`
		Error      string   `json:"error"` // why the latest one failed; empty when it did not
	} `json:"heartbeat"`
	TTLSeconds       float64 `json:"ttl_seconds"`
	HeartbeatSeconds float64 `json:"heartbeat_seconds"`
	MarginSeconds    float64 `json:"margin_seconds"`

	Storage  string    `json:"storage_state"`
	Held     []Lease   `json:"held"`
	Segments []Segment `json:"segments"`
}

// Agent is the snapshot without its documents, as of this moment.
func (s Snapshot) Agent() Agent {
	a := Agent{
		Cluster: s.Cluster, Node: s.Node, Goal: s.Goal, GoalBy: s.GoalBy, GoalReason: s.GoalReason,
		State: s.State, Message: s.Message, Schema: s.Schema,
		TrustSeconds: seconds(max(time.Until(s.Trusted), 0)),
		TTLSeconds:   seconds(s.TTL), HeartbeatSeconds: seconds(s.Heartbeat), MarginSeconds: seconds(s.Margin),
		Storage: s.Share.State, Held: append([]Lease{}, s.Held...), Segments: append([]Segment{}, s.segments()...),
	}
	a.LB, a.LBReason = s.LB()
	a.Live, _ = s.Turning()
	a.Ready, _ = s.Ready()
	if !s.Started.IsZero() {
		a.UpSeconds = seconds(time.Since(s.Started))
	}
	if !s.Beaten.IsZero() {
		at, age := s.asOf(Document{AsOf: s.Beaten})
		a.Heartbeat.At, a.Heartbeat.AgeSeconds = &at, &age
	}
	a.Heartbeat.RTT = float64(s.RTT.Microseconds()) / 1000
	a.Heartbeat.Error = s.Err
	return a
}

// status is the cluster's one row, when it was ever read, and the agent's own word.
func status(s Snapshot, _ *http.Request) answer {
	head := struct {
		Schema string   `json:"schema"`
		AsOf   *string  `json:"as_of"`
		Age    *float64 `json:"age_seconds"`
		Agent  Agent    `json:"agent"`
	}{Schema: "coterie.status/v1", Agent: s.Agent()}
	d, ok := s.Docs["status"]
	if ok {
		at, age := s.asOf(d)
		head.AsOf, head.Age = &at, &age
	}
	a := document(http.StatusOK, head)
	if row := bytes.TrimSpace(d.Rows); len(row) > len("{}") && row[0] == '{' {
		a.body = append(append(bytes.TrimSuffix(a.body, []byte("}\n")), ','), row[1:]...)
		a.body = append(a.body, '\n')
	}
	return a
}

func (c *Console) version(s Snapshot, _ *http.Request) answer {
	return document(http.StatusOK, struct {
		Schema  string `json:"schema"`
		Version string `json:"version"`
		Go      string `json:"go"`
		System  string `json:"system"`
		Node    string `json:"node"`
		Cluster string `json:"cluster"`
	}{"coterie.version/v1", c.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, s.Node, s.Cluster})
}

func robots(Snapshot, *http.Request) answer {
	return plain(http.StatusOK, "User-agent: *\nDisallow: /")
}
