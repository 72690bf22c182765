package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// busy has counted one of everything.
func busy() *Metrics {
	m := NewMetrics("deploy-prod", "1.0.0")
	m.Ticked(1200*time.Microsecond, nil)
	m.Ticked(time.Second, syscall.ECONNREFUSED)
	m.Acquired("action/purge")
	m.Lost("action/purge", "release")
	m.Fenced("run.end")
	m.RunBegan("audit-purge")
	m.RunEnded("audit-purge", "succeeded", 3*time.Second)
	m.RunBegan("audit-purge")
	m.NotRun("audit-purge", "skipped", 1)
	m.probed("lb", 200)
	return m
}

func gatherer(c *Console) prometheus.Gatherer {
	own := prometheus.NewRegistry()
	own.MustRegister(newScrape(c))
	return prometheus.Gatherers{c.Metrics.registry, own}
}

func TestPrometheusFindsNothingToComplainOf(t *testing.T) {
	c := showing(sample())
	c.Metrics = busy()
	problems, err := testutil.GatherAndLint(gatherer(c))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// values are the samples of /metrics by name and labels.
func values(t *testing.T, c *Console) map[string]string {
	t.Helper()
	got := get(t, c, "/metrics")
	if got.Code != 200 {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	values := map[string]string{}
	for line := range strings.Lines(got.Body.String()) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "} "); ok && !strings.HasPrefix(line, "#") {
			values[name+"}"] = value
		}
	}
	return values
}

func TestAScrapeSaysWhatIs(t *testing.T) {
	c := showing(sample())
	c.Metrics = busy()
	got := values(t, c)
	const of = `coterie_cluster="deploy-prod"`
	for name, want := range map[string]string{
		`coterie_session_ticks_total{` + of + `}`:                                          "2",
		`coterie_session_tick_failures_total{` + of + `,reason="refused"}`:                 "1",
		`coterie_session_tick_duration_seconds_count{` + of + `}`:                          "1",
		`coterie_lease_acquired_total{` + of + `,lease_class="action/purge"}`:              "1",
		`coterie_lease_lost_total{` + of + `,lease_class="action/purge",reason="release"}`: "1",
		`coterie_fenced_writes_total{` + of + `,kind="run.end"}`:                           "1",
		`coterie_job_runs_total{` + of + `,job="audit-purge",result="succeeded"}`:          "1",
		`coterie_job_runs_total{` + of + `,job="audit-purge",result="skipped"}`:            "1",
		`coterie_job_run_duration_seconds_bucket{` + of + `,job="audit-purge",le="10"}`:    "1",
		`coterie_job_run_duration_seconds_bucket{` + of + `,job="audit-purge",le="1"}`:     "0",
		`coterie_job_running{` + of + `,job="audit-purge"}`:                                "1",
		`coterie_job_overdue_seconds{` + of + `,job="audit-purge"}`:                        "0",
		`coterie_lb_probes_total{code="200",` + of + `,route="lb"}`:                        "1",
		`coterie_node_state{` + of + `,state="ready"}`:                                     "1",
		`coterie_node_state{` + of + `,state="draining"}`:                                  "0",
		`coterie_node_goal{` + of + `,goal="ready"}`:                                       "1",
		`coterie_lb_state{` + of + `,state="ready"}`:                                       "1",
		`coterie_cluster_nodes{` + of + `,state="ready"}`:                                  "2",
		`coterie_cluster_nodes{` + of + `,state="dead"}`:                                   "1",
		`coterie_cluster_nodes{` + of + `,state="suspect"}`:                                "0",
		`coterie_schema_version{` + of + `}`:                                               "8",
		`coterie_db_up{` + of + `}`:                                                        "1",
		`coterie_db_pool_connections{` + of + `,state="in_use"}`:                           "1",
		`coterie_db_pool_wait_seconds_total{` + of + `}`:                                   "0.03",
		`coterie_lease_held{` + of + `,lease="primary"}`:                                   "1",
		`coterie_lease_held{` + of + `,lease="job/index-rebuild"}`:                         "0",
		`coterie_lease_token{` + of + `,lease="primary"}`:                                  "41",
		`coterie_appdata_mounted{` + of + `}`:                                              "1",
		`coterie_appdata_attested{` + of + `}`:                                             "1",
		`coterie_keystore_ok{` + of + `,keystore="server"}`:                                "1",
		`coterie_keystore_expiry_timestamp_seconds{` + of + `,keystore="server"}`:          "1.9e+09",
		`coterie_trust_ok{` + of + `}`:                                                     "1",
		`coterie_trust_expiry_timestamp_seconds{alias="app-a",` + of + `}`:                 "1.9e+09",
		`coterie_trust_expiry_timestamp_seconds{alias="added:corp-root",` + of + `}`:       "1.8e+09",
		`coterie_trust_peer_ok{` + of + `,peer="app-a"}`:                                   "1",
		`coterie_trust_peer_ok{` + of + `,peer="app-d"}`:                                   "0",
		`coterie_appdata_free_bytes{` + of + `}`:                                           "2.27633266688e+11",
		`coterie_finding{code="COT-310",` + of + `,severity="warning"}`:                    "1",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %s", name, got[name], want)
		}
	}
	late, err := strconv.ParseFloat(got[`coterie_job_overdue_seconds{`+of+`,job="index-rebuild"}`], 64)
	if err != nil || late < 420 || late > 480 {
		t.Errorf("a job due 7 minutes ago is overdue by %v, %v", late, err)
	}
}

func TestAuthorityInMetricsEndsWithTrust(t *testing.T) {
	s := sample()
	lapsed(&s)
	got := values(t, showing(s))
	const of = `coterie_cluster="deploy-prod"`
	for name, want := range map[string]string{
		`coterie_lease_held{` + of + `,lease="primary"}`:      "0",
		`coterie_lease_token{` + of + `,lease="primary"}`:     "",
		`coterie_session_trust_remaining_seconds{` + of + `}`: "0",
		`coterie_db_up{` + of + `}`:                           "0",
		`coterie_lb_state{` + of + `,state="ready"}`:          "1",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// known are the metrics that alerts and dashboards may build upon.
const known = `coterie_appdata_attested coterie_appdata_free_bytes coterie_appdata_mounted coterie_build_info coterie_clock_offset_seconds
coterie_cluster_nodes coterie_cluster_snapshot_timestamp_seconds coterie_db_last_success_timestamp_seconds coterie_db_pool_connections
coterie_db_pool_wait_seconds_total coterie_db_up coterie_fenced_writes_total coterie_finding coterie_job_last_success_timestamp_seconds
coterie_job_overdue_seconds coterie_job_run_duration_seconds coterie_job_running coterie_job_runs_total coterie_keystore_expiry_timestamp_seconds coterie_keystore_ok coterie_lb_probes_total
coterie_lb_state coterie_lease_acquired_total coterie_lease_held coterie_lease_lost_total coterie_lease_token coterie_node_goal
coterie_node_start_timestamp_seconds coterie_node_state coterie_schema_version coterie_session_tick_duration_seconds
coterie_session_tick_failures_total coterie_session_ticks_total coterie_session_trust_remaining_seconds
coterie_trust_expiry_timestamp_seconds coterie_trust_ok coterie_trust_peer_ok`

func TestMetricsKeepTheirNames(t *testing.T) {
	c := showing(sample())
	c.Metrics = busy()
	families, err := gatherer(c).Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "coterie_") {
			got = append(got, f.GetName())
		}
	}
	if want := strings.Fields(known); !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMetricsStayFewWithManyJobs(t *testing.T) {
	s := sample()
	m := NewMetrics("deploy-prod", "1.0.0")
	var jobs, leases, nodes []map[string]any
	s.Held = nil
	for i := range 1000 {
		job := fmt.Sprintf("job-%d", i)
		jobs = append(jobs, map[string]any{"name": job, "overdue": false})
		leases = append(leases, map[string]any{"name": "job/" + job})
		m.RunBegan(job) // each has run here once, and one in ten has failed
		m.RunEnded(job, "succeeded", time.Second)
		if i%10 == 0 {
			m.RunBegan(job)
			m.RunEnded(job, "failed", time.Second)
		}
		if i%16 == 0 {
			s.Held = append(s.Held, Lease{"job/" + job, int64(i)})
		}
	}
	for i := range 16 {
		nodes = append(nodes, map[string]any{"name": fmt.Sprint("app-", i), "state": "ready"})
	}
	for list, rows := range map[string]any{"jobs": jobs, "leases": leases, "nodes": nodes} {
		doc, err := json.Marshal(rows)
		if err != nil {
			t.Fatal(err)
		}
		s.Docs[list] = Document{Rows: doc, AsOf: time.Now()}
	}
	c := showing(s)
	c.Metrics = m
	series := 0
	for line := range strings.Lines(get(t, c, "/metrics").Body.String()) {
		if !strings.HasPrefix(line, "#") {
			series++
		}
	}
	if series > 12000 {
		t.Errorf("%d series", series)
	}
	t.Logf("%d series", series)
}

func TestFailuresOfHeartbeatsHaveFewReasons(t *testing.T) {
	for want, errs := range map[string][]error{
		"timeout":   {context.DeadlineExceeded, os.ErrDeadlineExceeded, &net.DNSError{IsTimeout: true}},
		"cancelled": {context.Canceled},
		"dns":       {&net.OpError{Op: "dial", Err: &net.DNSError{Name: "db1", IsNotFound: true}}},
		"refused":   {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}},
		"broken":    {io.EOF, io.ErrUnexpectedEOF, os.NewSyscallError("read", syscall.ECONNRESET), syscall.EPIPE},
		"network":   {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}},
		"database":  {said("57P01")},
		"other":     {errors.New("what nobody thought of")},
	} {
		for _, err := range errs {
			if got := reason(fmt.Errorf("tick: %w", err)); got != want {
				t.Errorf("%v: %s, want %s", err, got, want)
			}
		}
	}
}

type said string

func (s said) Error() string    { return "database says " + string(s) }
func (s said) SQLState() string { return string(s) }

func TestWithoutMetricsNothingIsCounted(t *testing.T) {
	var m *Metrics
	m.Ticked(time.Second, nil)
	m.Acquired("x")
	m.Lost("x", "y")
	m.Fenced("x")
	m.RunBegan("x")
	m.RunEnded("x", "succeeded", time.Second)
	m.NotRun("x", "skipped", 1)
	if got := values(t, showing(sample())); got[`coterie_job_running{coterie_cluster="deploy-prod",job="audit-purge"}`] != "0" {
		t.Error("a job runs that nobody counted")
	}
}
