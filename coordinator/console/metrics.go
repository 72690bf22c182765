package console

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics counts what happens between scrapes. What merely is, a scrape takes
// from the snapshot. The methods of a nil Metrics count nothing.
type Metrics struct {
	registry *prometheus.Registry

	ticks    prometheus.Counter
	failures *prometheus.CounterVec
	took     prometheus.Histogram
	acquired *prometheus.CounterVec
	lost     *prometheus.CounterVec
	fenced   *prometheus.CounterVec
	runs     *prometheus.CounterVec
	duration *prometheus.HistogramVec
	success  *prometheus.GaugeVec
	probes   *prometheus.CounterVec

	mu      sync.Mutex // guards running
	running map[string]int
}

// clusterLabel is on every metric of ours, so that one Prometheus can watch
// several clusters; "cluster" alone is often taken by the scraper.
const clusterLabel = "coterie_cluster"

// NewMetrics makes the counters of one agent, all of them at zero.
func NewMetrics(cluster, version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		ticks:    counter("coterie_session_ticks_total", "Heartbeats sent, also those that failed."),
		failures: counters("coterie_session_tick_failures_total", "Heartbeats that failed.", "reason"),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "coterie_session_tick_duration_seconds", Help: "How long heartbeats took that were acknowledged.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		acquired: counters("coterie_lease_acquired_total", "Leases that this node took.", "lease_class"),
		lost:     counters("coterie_lease_lost_total", "Leases that this node gave back or lost.", "lease_class", "reason"),
		fenced:   counters("coterie_fenced_writes_total", "Writes that were refused because their token was no longer the holder's.", "kind"),
		runs:     counters("coterie_job_runs_total", "Slots of jobs that this node brought to an end.", "job", "result"),
		// Few buckets, because every job has them.
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "coterie_job_run_duration_seconds", Help: "How long runs on this node took.",
			Buckets: []float64{1, 10, 60, 600},
		}, []string{"job"}),
		success: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "coterie_job_last_success_timestamp_seconds", Help: "When a run on this node last succeeded, by this host's clock.",
		}, []string{"job"}),
		probes:  counters("coterie_lb_probes_total", "Requests of load balancers and their like, by route and answer.", "route", "code"),
		running: map[string]int{},
	}
	of := prometheus.WrapRegistererWith(prometheus.Labels{clusterLabel: cluster}, m.registry)
	of.MustRegister(m.ticks, m.failures, m.took, m.acquired, m.lost, m.fenced, m.runs, m.duration, m.success, m.probes, build(version))
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func build(version string) prometheus.Collector {
	var revision string
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "coterie_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version(), "revision": revision},
	}, func() float64 { return 1 })
}

// Ticked counts a heartbeat: err is nil when it was acknowledged.
func (m *Metrics) Ticked(took time.Duration, err error) {
	if m == nil {
		return
	}
	m.ticks.Inc()
	if err != nil {
		m.failures.WithLabelValues(reason(err)).Inc()
		return
	}
	m.took.Observe(took.Seconds())
}

// reason puts the failure of a heartbeat into one of few words.
func reason(err error) string {
	var (
		dns    *net.DNSError
		op     *net.OpError
		spoken interface{ SQLState() string }
		slow   interface{ Timeout() bool }
	)
	switch {
	case errors.As(err, &spoken):
		return "database"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.As(err, &dns):
		return "dns"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "broken"
	case errors.As(err, &op):
		return "network"
	}
	return "other"
}

// Acquired counts a lease that this node took; the class is empty for one that was asked for by name.
func (m *Metrics) Acquired(class string) {
	if m != nil {
		m.acquired.WithLabelValues(class).Inc()
	}
}

// Lost counts a lease that this node no longer holds, for instance because of release, lost or moved.
func (m *Metrics) Lost(class, reason string) {
	if m != nil {
		m.lost.WithLabelValues(class, reason).Inc()
	}
}

// Fenced counts a write, for instance run.end, that the database refused for its token.
func (m *Metrics) Fenced(kind string) {
	if m != nil {
		m.fenced.WithLabelValues(kind).Inc()
	}
}

// RunBegan notes that a job runs here; RunEnded must follow.
func (m *Metrics) RunBegan(job string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running[job]++
}

// RunEnded counts a run that began here. The outcome is a word of coterie.runs.
func (m *Metrics) RunEnded(job, outcome string, took time.Duration) {
	if m == nil {
		return
	}
	m.runs.WithLabelValues(job, outcome).Inc()
	m.duration.WithLabelValues(job).Observe(took.Seconds())
	if outcome == "succeeded" {
		m.success.WithLabelValues(job).SetToCurrentTime()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running[job]--; m.running[job] <= 0 {
		delete(m.running, job)
	}
}

// NotRun counts slots that this node did not run: skipped or missed.
func (m *Metrics) NotRun(job, outcome string, slots int64) {
	if m != nil {
		m.runs.WithLabelValues(job, outcome).Add(float64(slots))
	}
}

func (m *Metrics) runsHere(job string) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running[job] > 0
}

func (m *Metrics) probed(route string, code int) {
	if m != nil {
		m.probes.WithLabelValues(route, strconv.Itoa(code)).Inc()
	}
}
