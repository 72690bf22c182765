package console

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// States that a node may report of itself, and those in which others may see it.
var (
	ownStates  = []string{"joining", "ready", "draining", "drained", "leaving", "left", "evicted"}
	nodeStates = append([]string{"suspect", "dead"}, ownStates...)
)

// gauge describes a metric that is read off a snapshot.
type gauge struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// scrape turns one snapshot into metrics. It asks nobody.
type scrape struct {
	console *Console
	gauges  map[string]gauge
}

func (c *Console) metrics() http.Handler {
	all := prometheus.Gatherers{}
	if c.Metrics != nil {
		all = append(all, c.Metrics.registry)
	}
	own := prometheus.NewRegistry()
	own.MustRegister(newScrape(c))
	return promhttp.HandlerFor(append(all, own), promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

func newScrape(c *Console) *scrape {
	s := &scrape{console: c, gauges: map[string]gauge{}}
	add := func(name, help string, labels ...string) {
		kind := prometheus.GaugeValue
		if strings.HasSuffix(name, "_total") {
			kind = prometheus.CounterValue
		}
		s.gauges[name] = gauge{prometheus.NewDesc(name, help, append(labels, clusterLabel), nil), kind}
	}
	add("coterie_schema_version", "Version of the database's schema; 0 while it is not known.")
	add("coterie_node_state", "1 for the state that this node is in.", "state")
	add("coterie_node_goal", "1 for what operators want of this node.", "goal")
	add("coterie_node_start_timestamp_seconds", "When this agent started, by this host's clock.")
	add("coterie_cluster_nodes", "Nodes of the cluster, by the state others see them in.", "state")
	add("coterie_cluster_snapshot_timestamp_seconds", "When the cluster's nodes were last read, by this host's clock.")
	add("coterie_session_trust_remaining_seconds", "How much longer this node may act for what it holds; 0 when it may not.")
	add("coterie_clock_offset_seconds", "How far this host's clock is ahead of another one.", "against")
	add("coterie_db_up", "1 when the latest heartbeat was acknowledged.")
	add("coterie_db_last_success_timestamp_seconds", "When a heartbeat was last acknowledged, by this host's clock.")
	add("coterie_db_pool_connections", "Connections to the database.", "state")
	add("coterie_db_pool_wait_seconds_total", "Time spent waiting for a free connection to the database.")
	add("coterie_lease_held", "1 for a lease that this node holds and may act for, 0 for the others.", "lease")
	add("coterie_lease_token", "Token of a lease that this node holds and may act for.", "lease")
	add("coterie_job_overdue_seconds", "How long a slot has been due that should have begun; 0 when none is.", "job")
	add("coterie_job_running", "1 while a job whose lease this node holds runs here.", "job")
	add("coterie_appdata_mounted", "1 when a shared folder is mounted.")
	add("coterie_appdata_attested", "1 when the shared folder is proved to be the cluster's.")
	add("coterie_appdata_free_bytes", "Free space of the shared folder.")
	add("coterie_keystore_ok", "1 when this node has the active version of its server's keystore in place, proved if there is something to prove it by.", "keystore")
	add("coterie_keystore_expiry_timestamp_seconds", "When the certificate of the active version ends.", "keystore")
	add("coterie_trust_ok", "1 when this node has the newest version of the trust store in its files.")
	add("coterie_trust_expiry_timestamp_seconds", "When a certificate ends that all servers trust.", "alias")
	add("coterie_trust_peer_ok", "1 when this node could call the server of a node by its trust store, last time.", "peer")
	add("coterie_lb_state", "1 for what load balancers are told of this node.", "state")
	add("coterie_finding", "1 while a finding is open.", "code", "severity")
	return s
}

// Describe implements prometheus.Collector.
func (s *scrape) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range s.gauges {
		ch <- g.desc
	}
}

// Collect implements prometheus.Collector.
func (s *scrape) Collect(ch chan<- prometheus.Metric) {
	is := s.console.Snapshot()
	put := func(name string, value float64, labels ...string) {
		g := s.gauges[name]
		ch <- prometheus.MustNewConstMetric(g.desc, g.kind, value, append(labels, is.Cluster)...)
	}
	is.nodeMetrics(put)
	is.databaseMetrics(put)
	is.leaseMetrics(put)
	is.jobMetrics(put, s.console.Metrics)
	is.storageMetrics(put)
	is.keystoreMetrics(put)
	is.trustMetrics(put)
	is.findingMetrics(put)
}

type put func(name string, value float64, labels ...string)

func (p put) oneOf(name string, words []string, is string) {
	for _, w := range words {
		p(name, truth(w == is), w)
	}
}

func (s Snapshot) nodeMetrics(put put) {
	put.oneOf("coterie_node_state", ownStates, s.State)
	put.oneOf("coterie_node_goal", []string{"ready", "drained"}, s.Goal)
	word, _ := s.LB()
	put.oneOf("coterie_lb_state", []string{string(LBReady), string(LBDraining), string(LBOut)}, string(word))
	if !s.Started.IsZero() {
		put("coterie_node_start_timestamp_seconds", unix(s.Started))
	}
	nodes, ok := s.Docs["nodes"]
	if !ok {
		return
	}
	count := map[string]int{}
	for _, n := range rows[struct{ State string }](nodes) {
		count[n.State]++
	}
	for _, state := range nodeStates {
		put("coterie_cluster_nodes", float64(count[state]), state)
	}
	put("coterie_cluster_snapshot_timestamp_seconds", unix(nodes.AsOf))
}

func (s Snapshot) keystoreMetrics(put put) {
	if s.Keystore.Name == "" || s.Keystore.Ends.IsZero() {
		return // no server here, or no version yet
	}
	put("coterie_keystore_ok", truth(s.Keystore.OK), s.Keystore.Name)
	put("coterie_keystore_expiry_timestamp_seconds", unix(s.Keystore.Ends), s.Keystore.Name)
}

func (s Snapshot) trustMetrics(put put) {
	if !s.Trust.TakesPart {
		return
	}
	put("coterie_trust_ok", truth(s.Trust.OK))
	for alias, ends := range s.Trust.Ends {
		put("coterie_trust_expiry_timestamp_seconds", unix(ends), alias)
	}
	for peer, ok := range s.Trust.Called {
		put("coterie_trust_peer_ok", truth(ok), peer)
	}
}

func (s Snapshot) databaseMetrics(put put) {
	put("coterie_schema_version", float64(s.Schema))
	put("coterie_session_trust_remaining_seconds", max(time.Until(s.Trusted).Seconds(), 0))
	put("coterie_db_up", truth(s.Err == "" && !s.Beaten.IsZero()))
	if !s.Beaten.IsZero() {
		put("coterie_db_last_success_timestamp_seconds", unix(s.Beaten))
	}
	if !s.Now.IsZero() {
		// For people who compare logs; nothing is decided by it.
		put("coterie_clock_offset_seconds", time.Since(s.Now.Round(0)).Seconds(), "database")
	}
	put("coterie_db_pool_connections", float64(s.Pool.InUse), "in_use")
	put("coterie_db_pool_connections", float64(s.Pool.Idle), "idle")
	put("coterie_db_pool_wait_seconds_total", s.Pool.Waited.Seconds())
}

func (s Snapshot) leaseMetrics(put put) {
	here := map[string]bool{}
	trusted := time.Now().Before(s.Trusted)
	for _, l := range s.Held {
		here[l.Name] = true
		put("coterie_lease_held", truth(trusted), l.Name)
		if trusted {
			put("coterie_lease_token", float64(l.Token), l.Name)
		}
	}
	for _, l := range rows[struct{ Name string }](s.Docs["leases"]) {
		if !here[l.Name] {
			here[l.Name] = true
			put("coterie_lease_held", 0, l.Name)
		}
	}
}

func (s Snapshot) jobMetrics(put put, m *Metrics) {
	for _, l := range s.Held {
		if job, ok := strings.CutPrefix(l.Name, "job/"); ok {
			put("coterie_job_running", truth(m.runsHere(job)), job)
		}
	}
	seen := map[string]bool{}
	for _, j := range rows[jobRow](s.Docs["jobs"]) {
		if name := string(j.Name); !seen[name] {
			seen[name] = true
			put("coterie_job_overdue_seconds", j.late(s.now()).Seconds(), name)
		}
	}
}

func (s Snapshot) storageMetrics(put put) {
	if s.Share.State == "" {
		return
	}
	mounted := s.Share.State != "NOT_MOUNTED"
	put("coterie_appdata_mounted", truth(mounted))
	put("coterie_appdata_attested", truth(s.Share.Proved))
	if mounted && (s.Share.FreeBytes > 0 || s.Share.State == "FULL") {
		put("coterie_appdata_free_bytes", float64(s.Share.FreeBytes))
	}
}

func (s Snapshot) findingMetrics(put put) {
	type kind struct{ Code, Severity string }
	seen := map[kind]bool{}
	for _, f := range rows[kind](s.Docs["findings"]) {
		if !seen[f] {
			seen[f] = true
			put("coterie_finding", 1, f.Code, f.Severity)
		}
	}
}

// rows are those of a document; none when it was never read.
func rows[T any](d Document) []T {
	var rows []T
	if len(d.Rows) == 0 || json.Unmarshal(d.Rows, &rows) != nil {
		return nil
	}
	return rows
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
