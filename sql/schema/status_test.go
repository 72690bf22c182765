package schema_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"
)

// member writes a node as its agent would have left it: with a session unless
// the words say dead, expired if they say late.
func member(t *testing.T, db *sqlx.DB, name, state, goal, words string) {
	t.Helper()
	host, version := "host-"+name, "1.4.0"
	for word := range strings.FieldsSeq(words) {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "host":
			host = value
		case "version":
			version = value
		}
	}
	db.MustExec(`INSERT INTO coterie.node (name, id, host, version, state, goal) VALUES ($1, $1, $2, $3, $4, $5)`, name, host, version, state, goal)
	if strings.Contains(words, "dead") {
		return
	}
	ends := "6s"
	if strings.Contains(words, "late") {
		ends = "-1s"
	}
	rtt := 1
	if strings.Contains(words, "slow") {
		rtt = 240
	}
	db.MustExec(`INSERT INTO coterie.session (node, incarnation, ttl, expires_at, rtt_ms) VALUES ($1, 1, '6s', coterie.clock() + $2::interval, $3)`, name, ends, rtt)
}

func TestTheStatusIsOneRowInWords(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	for name, c := range map[string]struct {
		nodes string // a line per node: name state goal words
		want  string
	}{
		"nobody":     {"", "Initializing 0/0: No node has joined yet."},
		"joining":    {"a joining ready", "Initializing 0/1: No node is ready: a is joining."},
		"one":        {"a ready ready", "Up 1/1: The only node is ready."},
		"all":        {"a ready ready\nb ready ready\nc ready ready", "Up 3/3: All 3 nodes are ready."},
		"drained":    {"a ready ready\nb drained drained", "Up 1/2: 1 of 2 nodes is ready; b is drained."},
		"left":       {"a ready ready\nb left ready dead", "Up 1/1: The only node is ready."},
		"starting":   {"a ready ready\nb joining ready", "Degraded 1/2: 1 of 2 nodes is ready; b is joining."},
		"dead":       {"a ready ready\nb ready ready dead\nc ready ready", "Degraded 2/3: 2 of 3 nodes are ready; b is dead. 1 thing needs attention."},
		"late":       {"a ready ready\nb ready ready late", "Degraded 1/2: 1 of 2 nodes is ready; b is suspect. 1 thing needs attention."},
		"all gone":   {"a ready ready dead\nb ready ready late", "Down 0/2: No node is ready: a is dead, b is suspect. 2 things need attention."},
		"none ready": {"a drained drained\nb draining drained", "Degraded 0/2: No node is ready: a is drained, b is draining."},
		"many": {"a ready ready\nb ready ready dead\nc ready ready dead\nd ready ready dead\ne drained drained",
			"Degraded 1/5: 1 of 5 nodes is ready; 3 dead, 1 drained. 3 things need attention."},
		"one host": {"a ready ready host=h\nb ready ready host=h", "Up 2/2: All 2 nodes are ready."},
		"upgrade":  {"a ready ready\nb ready ready version=1.4.1", "Degraded 2/2: All 2 nodes are ready. 1 thing needs attention."},
	} {
		t.Run(name, func(t *testing.T) {
			db.MustExec(`TRUNCATE coterie.cluster, coterie.node, coterie.session, coterie.event CASCADE`)
			if n := scalar[int](t, db, `SELECT count(*) FROM coterie.status`); n != 0 {
				t.Errorf("%d rows before the cluster is there", n)
			}
			db.MustExec(`SELECT coterie.cluster_init('deploy')`)
			for line := range strings.Lines(c.nodes) {
				f := append(strings.Fields(line), "")
				member(t, db, f[0], f[1], f[2], strings.Join(f[3:], " "))
			}
			got := scalar[string](t, db, `SELECT format('%s %s/%s: %s', status, nodes_ready, nodes_total, sentence) FROM coterie.status`)
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestFindingsAreDerivedFromFacts(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	db.MustExec(`SELECT coterie.cluster_init('deploy')`)
	member(t, db, "a", "ready", "ready", "host=h slow")
	member(t, db, "b", "ready", "ready", "host=h version=1.3.9")
	member(t, db, "c", "ready", "ready", "dead host=h version=1.2.0")
	member(t, db, "d", "draining", "drained", "late")
	member(t, db, "e", "left", "ready", "dead")
	for node, state := range map[string]string{"a": "OK", "b": "READ_ONLY", "c": "HUNG"} {
		db.MustExec(`INSERT INTO coterie.storage (node, state, reason, marker_ok, readable, writable, fs_type, source, options)
			VALUES ($1, $2::coterie.storage_state, CASE $2::text WHEN 'OK' THEN '' ELSE 'EROFS' END, true, true, true, 'nfs4', '', '')`, node, state)
	}
	db.MustExec(`UPDATE coterie.session SET takes = '{action/purge}' WHERE node = 'a'`)
	for job, action := range map[string]string{"failing": "purge", "late": "purge", "orphan": "report"} {
		db.MustExec(`INSERT INTO coterie.job (name, schedule, action, generation, since, first_due_at, every)
			VALUES ($1, '@every 1h', $2, 1, coterie.clock() - interval '5h', coterie.clock() + CASE $1 WHEN 'late' THEN interval '-1h' ELSE interval '1h' END, '1h')`, job, action)
	}
	for hour := 1; hour <= 3; hour++ {
		db.MustExec(`INSERT INTO coterie.run (due_at, token, nonce, started_at, finished_at, outcome, exit_code, job, node, reason)
			SELECT d, 1, 1, d, d + interval '1min', 'failed', 3, 'failing', 'a', 'exit code 3'
			FROM (SELECT coterie.clock() - make_interval(hours => $1) + interval '10min' AS d) AS due`, hour)
	}
	var got []string
	if err := db.Select(&got, `SELECT concat_ws(' ', code, severity, subject || ':', text) FROM coterie.findings ORDER BY code`); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"COT-215 warning a: a heartbeat of a takes 240 ms",
		"COT-303 error b: b: the share is read-only: EROFS",
		"COT-511 error late: late is overdue: no node holds it at the moment",
		"COT-512 warning failing: failing failed 3 times in a row: no node holds it at the moment",
		"COT-513 error orphan: orphan: no living node takes it, because none that is ready has the action report",
		"COT-611 error c: c is dead: its session has ended and it has not begun a new one",
		"COT-612 warning d: d is late: its session has expired and nobody has ended it",
		"COT-613 warning coterie: nodes run different versions of coterie: 1.3.9 (b), 1.4.0 (a)",
		"COT-614 note h: a b run on one host, h",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAddressOfThisHostAndANodeThatServesTheShareAreFound(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	db.MustExec(`SELECT coterie.cluster_init('deploy')`)
	for _, name := range []string{"a", "b", "c"} {
		member(t, db, name, "ready", "ready", "host=host-"+name+".example.org")
	}
	// Where each reads the share from, the addresses that nodes tell, and what is found.
	for name, c := range map[string]struct{ b, c, kind, address, want string }{
		"nothing":               {"nas:/x", "nas:/x", "nfs4", "10.0.0.1", ""},
		"by the node's name":    {"a:/x", "nas:/x", "nfs4", "10.0.0.1", "COT-323 a serves the share to b: while its machine is away nobody has it"},
		"by its host's":         {"//HOST-A/x", "//host-a.example.org/x", "cifs", "", "COT-323 a serves the share to b c: while its machine is away nobody has it"},
		"by its address":        {"10.0.0.1:/x", "app@10.0.0.1:/x", "fuse.sshfs", "10.0.0.1", "COT-323 a serves the share to b c: while its machine is away nobody has it"},
		"by an address of IPv6": {"[fd00::1]:/x", "nas:/x", "nfs4", "fd00::1", "COT-323 a serves the share to b: while its machine is away nobody has it"},
		"another's name in it":  {"nas-a:/a", "//nas/a", "nfs4", "10.0.0.1", ""},
		"served by several":     {"a:/x", "b:/x", "fuse.glusterfs", "10.0.0.1", ""},
		"a disk":                {"/dev/sda1", "/dev/sda1", "ext4", "10.0.0.1", ""},
		"loopback":              {"nas:/x", "nas:/x", "nfs4", "127.0.0.1", "COT-615 a says that it is reached at 127.0.0.1, which leads each other host to itself"},
		"loopback of IPv6":      {"nas:/x", "nas:/x", "nfs4", "::1", "COT-615 a says that it is reached at ::1, which leads each other host to itself"},
		"localhost":             {"nas:/x", "nas:/x", "nfs4", "Localhost", "COT-615 a says that it is reached at Localhost, which leads each other host to itself"},
	} {
		t.Run(name, func(t *testing.T) {
			db.MustExec(`UPDATE coterie.node SET address = CASE name WHEN 'a' THEN $1 ELSE '' END`, c.address)
			db.MustExec(`DELETE FROM coterie.storage`)
			for node, source := range map[string]string{"b": c.b, "c": c.c} {
				db.MustExec(`INSERT INTO coterie.storage (node, state, reason, marker_ok, readable, writable, fs_type, source, options)
					VALUES ($1, 'OK', '', true, true, true, $2, $3, '')`, node, c.kind, source)
			}
			if got := scalar[string](t, db, `SELECT coalesce(string_agg(concat_ws(' ', code, text), '; '), '') FROM coterie.findings`); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	db.MustExec(`UPDATE coterie.node SET host = 'one', address = '127.0.0.1'`)
	if got := scalar[int](t, db, `SELECT count(*) FROM coterie.findings WHERE code = 'COT-615'`); got != 0 {
		t.Errorf("%d nodes of one host are told that others do not reach them", got)
	}
}

func TestADeadNodeKeepsItsLastHeartbeat(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	db.MustExec(`SELECT coterie.cluster_init('deploy')`)
	member(t, db, "a", "ready", "ready", "")
	seen := scalar[string](t, db, `SELECT last_seen_at::text FROM coterie.nodes`)
	db.MustExec(`SELECT coterie.session_end('a', 1, 'crash', 'last will')`)
	if got := scalar[string](t, db, `SELECT format('%s %s', state, last_seen_at) FROM coterie.nodes`); got != "dead "+seen {
		t.Errorf("got %s, want dead %s", got, seen)
	}
}

func TestASettingIsChangedOnlyToWhatFits(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	db.MustExec(`SELECT coterie.cluster_init('deploy')`)
	change := func(key, value string) string {
		var changed bool
		if err := db.Get(&changed, `SELECT coterie.setting_change($1, $2, 'ana', 'a test')`, key, value); err != nil {
			return err.Error()
		}
		return fmt.Sprint(changed)
	}
	for _, c := range []struct{ key, value, want string }{
		{"session_ttl", "30s", "true"},
		{"session_ttl", "30s", "false"},
		{"heartbeat", "20s", `pq: new row for relation "setting" violates check constraint "terms_leave_room"`},
		{"heartbeat", "soon", `pq: 'soon' is not a duration`},
		{"hartbeat", "5s", `pq: no setting 'hartbeat'`},
		{"margin", "0", `pq: new row for relation "setting" violates check constraint "terms_are_sane"`},
	} {
		if got := change(c.key, c.value); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %s: got %s, want %s", c.key, c.value, got, c.want)
		}
	}
	if got, want := scalar[string](t, db, `SELECT string_agg(concat_ws(' ', kind, subject, reason, detail ->> 'from', detail ->> 'to', detail ->> 'by'), '; ') FROM coterie.events WHERE kind = 'setting.changed'`),
		"setting.changed session_ttl a test 00:00:06 00:00:30 ana"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := scalar[int](t, db, `SELECT generation FROM coterie.setting`); got != 2 {
		t.Errorf("generation %d", got)
	}
}

func TestTwoOperatorsCannotDrainTheLastTwoNodesAtOnce(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	db.MustExec(`SELECT coterie.cluster_init('deploy')`)
	member(t, db, "a", "ready", "ready", "")
	member(t, db, "b", "ready", "ready", "")
	const drain = `SELECT coterie.node_drain($1, 'ana', '', false)`
	first, err := db.Beginx()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Exec(drain, "a"); err != nil {
		t.Fatal(err)
	}
	second := make(chan error)
	go func() {
		_, err := db.Exec(drain, "b")
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("the second did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err == nil || !strings.Contains(err.Error(), "b is the last ready node") {
		t.Errorf("got %v", err)
	}
	if got := scalar[string](t, db, `SELECT string_agg(goal::text, ' ' ORDER BY name) FROM coterie.node`); got != "drained ready" {
		t.Errorf("goals %s", got)
	}
	if !scalar[bool](t, db, `SELECT coterie.node_drain('b', 'ana', '', true)`) {
		t.Error("on purpose, it is not drained either")
	}
}
