package console

import (
	"encoding/json"
	"time"
)

// sample is a node that does well, in a cluster that has something to look at.
func sample() Snapshot {
	now := time.Now()
	at := func(ago time.Duration) string { return now.Add(-ago).UTC().Format(time.RFC3339Nano) }
	doc := func(v any) Document {
		rows, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return Document{Rows: rows, AsOf: now.Add(-400 * time.Millisecond)}
	}
	type row = map[string]any
	return Snapshot{
		Cluster: "deploy-prod", Node: "app-a", Goal: "ready", State: "ready",
		Joined: true, Schema: 8, Started: now.Add(-51 * time.Hour), Turned: now.Add(-200 * time.Millisecond),
		TTL: 6 * time.Second, Heartbeat: 1500 * time.Millisecond, Margin: 1500 * time.Millisecond,
		Trusted: now.Add(4 * time.Second), Beaten: now.Add(-400 * time.Millisecond), RTT: 1200 * time.Microsecond,
		Now:  now,
		Held: []Lease{{"job/audit-purge", 112}, {"primary", 41}},
		Segments: []Segment{
			{"session", true, "trusted for 4.0 s"}, {"database", true, "1.2 ms"}, {"share", true, "OK"},
		},
		Keystore: Keystore{Name: "server", OK: true, Ends: time.Unix(1_900_000_000, 0)},
		Trust: Trust{TakesPart: true, OK: true, Ends: map[string]time.Time{"app-a": time.Unix(1_900_000_000, 0), "added:corp-root": time.Unix(1_800_000_000, 0)},
			Called: map[string]bool{"app-a": true, "app-d": false}},
		Share: Share{State: "OK", Proved: true, FreeBytes: 212 << 30},
		Pool:  Pool{InUse: 1, Idle: 2, Waited: 30 * time.Millisecond},
		Docs: map[string]Document{
			"status": doc(row{"name": "deploy-prod", "status": "Degraded", "nodes_ready": 2, "nodes_total": 4,
				"sentence": "2 of 4 nodes are ready. 1 thing needs attention."}),
			"nodes": doc([]row{
				{"name": "app-a", "goal": "ready", "state": "ready", "app_version": "7.3.2", "last_seen_at": at(400 * time.Millisecond), "leases_held": 5, "jobs_running": 1, "storage_state": "OK", "db_rtt_ms": 1.2, "message": ""},
				{"name": "app-b", "goal": "ready", "state": "ready", "app_version": "7.3.2", "last_seen_at": at(900 * time.Millisecond), "leases_held": 4, "jobs_running": 0, "storage_state": "OK", "db_rtt_ms": 1.9, "message": ""},
				{"name": "app-c", "goal": "drained", "goal_by": "ana", "goal_reason": "kernel update", "state": "draining", "app_version": "7.3.2", "last_seen_at": at(200 * time.Millisecond), "leases_held": 1, "jobs_running": 1, "storage_state": "DEGRADED", "db_rtt_ms": 1.1, "message": "report-nightly is still running"},
				{"name": "app-d", "goal": "ready", "state": "dead", "app_version": "7.3.1", "last_seen_at": at(26 * time.Hour), "leases_held": 0, "jobs_running": 0, "storage_state": nil, "db_rtt_ms": nil, "message": ""},
			}),
			"jobs": doc([]row{
				{"name": "agent-sweep", "schedule": "@every 30s", "enabled": true, "runner": "app-a", "next_due_at": at(-11 * time.Second), "last_due_at": at(19 * time.Second), "last_outcome": "succeeded", "last_took": "00:00:00.214", "failures_in_row": 0, "overdue": false},
				{"name": "audit-purge", "schedule": "@every 1h", "enabled": true, "runner": "app-b", "next_due_at": at(-41 * time.Minute), "last_due_at": at(19 * time.Minute), "last_outcome": "succeeded", "last_took": "00:00:03.1", "failures_in_row": 0, "overdue": false},
				{"name": "plugin-refresh", "schedule": "@every 15m", "enabled": true, "runner": "app-b", "next_due_at": at(-12 * time.Minute), "last_due_at": at(3 * time.Minute), "last_outcome": "failed", "last_took": "00:00:09.8", "failures_in_row": 2, "overdue": false, "message": "exit code 3: cannot reach repo"},
				{"name": "report-nightly", "schedule": "30 2 * * *", "time_zone": "Europe/Paris", "enabled": true, "runner": "app-c", "next_due_at": at(-10 * time.Hour), "last_due_at": at(2 * time.Minute), "last_outcome": "running", "last_took": nil, "failures_in_row": 0, "overdue": false},
				{"name": "seat-report", "schedule": "0 6 * * 1", "time_zone": "UTC", "enabled": false, "runner": nil, "next_due_at": nil, "last_due_at": nil, "last_outcome": nil, "failures_in_row": 0, "overdue": false, "message": "paused by ana"},
				{"name": "index-rebuild", "schedule": "@every 5m", "enabled": true, "runner": nil, "next_due_at": at(7 * time.Minute), "last_due_at": at(12 * time.Minute), "last_outcome": "lost", "last_took": "00:01:40", "failures_in_row": 1, "overdue": true, "message": "no node offers the action index-rebuild"},
			}),
			"leases": doc([]row{
				{"name": "primary", "holder": "app-a", "token": 41, "acquired_at": at(76 * time.Hour), "valid": true, "wanted_by": []string{"app-b"}},
				{"name": "job/audit-purge", "holder": "app-b", "token": 112, "acquired_at": at(19 * time.Minute), "valid": true, "wanted_by": []string{"app-a", "app-c"}},
				{"name": "job/index-rebuild", "holder": nil, "token": 99, "acquired_at": nil, "valid": false, "wanted_by": []string{}},
			}),
			"runs": doc([]row{
				{"job": "agent-sweep", "due_at": at(19 * time.Second), "outcome": "succeeded"},
				{"job": "agent-sweep", "due_at": at(49 * time.Second), "outcome": "succeeded"},
				{"job": "agent-sweep", "due_at": at(79 * time.Second), "outcome": "skipped"},
				{"job": "audit-purge", "due_at": at(19 * time.Minute), "outcome": "succeeded"},
				{"job": "report-nightly", "due_at": at(2 * time.Minute), "outcome": "running"},
				{"job": "plugin-refresh", "due_at": at(3 * time.Minute), "outcome": "failed"},
				{"job": "plugin-refresh", "due_at": at(18 * time.Minute), "outcome": "failed"},
				{"job": "plugin-refresh", "due_at": at(33 * time.Minute), "outcome": "timed_out"},
				{"job": "plugin-refresh", "due_at": at(48 * time.Minute), "outcome": "succeeded"},
				{"job": "index-rebuild", "due_at": at(12 * time.Minute), "outcome": "lost"},
				{"job": "index-rebuild", "due_at": at(17 * time.Minute), "outcome": "missed"},
			}),
			"events": doc([]row{
				{"id": 981, "at": at(2 * time.Minute), "node": "app-c", "kind": "goal.set", "subject": "app-c", "actor": "ana", "reason": "kernel update", "detail": row{"goal": "drained", "by": "ana"}},
				{"id": 980, "at": at(19 * time.Minute), "node": "app-b", "kind": "lease.claimed", "subject": "job/audit-purge", "token": 112, "peer": "app-c", "actor": "coterie_app_b", "reason": "release"},
				{"id": 979, "at": at(26 * time.Hour), "node": "app-d", "kind": "session.ended", "subject": "app-d", "actor": "coterie_app_a", "reason": "crash"},
			}),
			"takeovers": doc([]row{
				{"lease": "job/audit-purge", "from_node": "app-c", "to_node": "app-b", "cause": "release", "claimed_at": at(19 * time.Minute), "took": "00:00:00.21"},
				{"lease": "primary", "from_node": "app-d", "to_node": "app-a", "cause": "crash", "claimed_at": at(76 * time.Hour), "took": "00:00:07.4"},
			}),
			"findings": doc([]row{
				{"code": "COT-310", "severity": "warning", "subject": "app-c", "since": at(4 * time.Hour), "text": "the share answers slowly", "remedy": "mount it again"},
			}),
			"trusts": doc([]row{
				{"from_node": "app-a", "to_node": "app-a", "ok": true, "result": "ok", "latency_ms": 2.1, "since": at(26 * time.Hour)},
				{"from_node": "app-a", "to_node": "app-d", "ok": false, "result": "refused", "latency_ms": nil, "since": at(26 * time.Hour), "reason": "connection refused", "remedy": "start the server of app-d, or correct trust.address there"},
				{"from_node": "app-b", "to_node": "app-a", "ok": nil, "result": "untried", "latency_ms": nil, "since": nil},
			}),
			"storages": doc([]row{{"node": "app-a", "state": "OK"}, {"node": "app-c", "state": "DEGRADED"}}),
		},
	}
}
