package license

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

var update = flag.Bool("update", false, "write the scenarios' golden output anew")

// A scenario is lines of commands; what they bring stands below them, indented.
//
//	define {JSON}              an operator defines pools
//	load {JSON}                an operator applies a file (its signature is checked elsewhere)
//	withdraw SERIAL
//	begin NODE | end NODE      a session of a node
//	NODE out POOL HOLDER [SESSION [HOST]]; ...     a batch; also again, adopt, in, idle
//	NODE late out ...          the same as if it came after a later batch
//	NODE keep POOL WANT        escrow
//	NODE sweep POOL [watched]  watched: the caller has seen the escrow stand still
//	NODE saw HOST PORT true|false    an external licence server
//	NODE checkout|renew|checkin POOL HOLDER [SESSION [HOST]]    as an SQL client
//	advance DURATION | step DURATION    time passes; the database's clock jumps
//	show pool|seats|peaks|denials|report|violations|findings|servers|events|key [POOL]
//	sql STATEMENT              by hand
//
// Words may be quoted as Go strings.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			db := sqltest.New(t)
			for _, node := range []string{"a", "b", "c"} {
				db.Login("node_"+node, schema.Agent)
			}
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, db.Bubble(t), string(text)) })
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(text), got); diff != "" {
				t.Errorf("(-want +got); read this, then go test ./license -update:\n%s", diff)
			}
		})
	}
}

// play runs the commands of a scenario and returns it with what they bring.
func play(t *testing.T, db *sqltest.DB, text string) string {
	s := &stage{TB: t, db: db, numbers: map[string]int64{}, lives: map[string]int64{}, pools: map[string]*sqltest.Pool{}}
	s.must(db.Exec(`SELECT coterie.cluster_init('lab')`))
	var out strings.Builder
	for line := range strings.SplitAfterSeq(text, "\n") {
		if strings.HasPrefix(line, "     ") {
			continue
		}
		out.WriteString(line)
		command := strings.TrimSpace(line)
		if command == "" || strings.HasPrefix(command, "#") {
			continue
		}
		for said := range strings.SplitSeq(strings.TrimSpace(s.run(command)), "\n") {
			if said != "" {
				out.WriteString("     " + strings.TrimRight(said, " ") + "\n")
			}
		}
	}
	return out.String()
}

// stage is a database with nodes that do what a scenario says.
type stage struct {
	testing.TB
	db      *sqltest.DB
	pools   map[string]*sqltest.Pool
	lives   map[string]int64 // incarnation of each node's session
	born    int64
	numbers map[string]int64 // of the last batch of each node
}

func (s *stage) must(_ any, err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// as is the pool of a node's login.
func (s *stage) as(node string) *sqltest.Pool {
	if s.pools[node] == nil {
		s.pools[node] = s.db.Login("node_"+node, schema.Agent)
	}
	return s.pools[node]
}

func (s *stage) run(command string) string {
	verb, rest, _ := strings.Cut(command, " ")
	switch verb {
	case "define":
		return s.value(`SELECT coterie.license_define($1, 'ana', '')`, rest)
	case "load":
		return s.value(`SELECT coterie.license_load($1, 'ana', '')`, rest)
	case "withdraw":
		return s.value(`SELECT coterie.license_withdraw($1, 'ana', '')`, rest)
	case "begin":
		s.born++
		s.lives[rest] = s.born
		s.must(s.db.Exec(`INSERT INTO coterie.session (node, incarnation, ttl, expires_at, login)
			VALUES ($1, $2, '900 days', coterie.clock() + interval '900 days', 'node_' || $1)`, rest, s.born))
		return ""
	case "end":
		s.must(s.db.Exec(`SELECT coterie.session_end($1, $2, 'crash', 'by the scenario')`, rest, s.lives[rest]))
		return ""
	case "advance":
		time.Sleep(s.duration(rest))
		return ""
	case "step":
		s.db.Step(s.duration(rest))
		return ""
	case "show":
		what, pool, _ := strings.Cut(rest, " ")
		return s.show(what, pool)
	case "sql":
		if _, err := s.db.Exec(rest); err != nil {
			return refusal(err)
		}
		return ""
	}
	return s.node(verb, rest)
}

func (s *stage) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.Fatal(err)
	}
	return d
}

// refusal is an error of the database as a scenario shows it.
func refusal(err error) string {
	var said *pq.Error
	if errors.As(err, &said) {
		return "error " + string(said.Code) + ": " + said.Message
	}
	return "error: " + err.Error()
}

// value is what a statement of an operator answers.
func (s *stage) value(query string, args ...any) string {
	var v *string
	if err := s.db.Get(&v, query, args...); err != nil {
		return refusal(err)
	}
	if v == nil {
		return "null"
	}
	return *v
}

func (s *stage) node(node, rest string) string {
	verb, args, _ := strings.Cut(rest, " ")
	word := words(s, args)
	switch verb {
	case "checkout":
		var rows []struct {
			Granted      bool
			Seat         *int
			Kind, Reason *string
		}
		if err := s.as(node).Select(&rows, `SELECT granted, seat, kind, reason FROM coterie.license_checkout($1, $2, $3, $4)`, word[0], word[1], word[2], word[3]); err != nil {
			return refusal(err)
		}
		r := rows[0]
		return fmt.Sprintf("granted %v%s", r.Granted, outcome(r.Seat, r.Kind, r.Reason))
	case "renew", "checkin":
		var v string
		if err := s.as(node).Get(&v, `SELECT coterie.license_`+verb+`($1, $2, $3, $4)`, word[0], word[1], word[2], word[3]); err != nil {
			return refusal(err)
		}
		return v
	case "keep":
		s.numbers[node]++
		var rows []struct {
			Seats int
			Lasts float64 `db:"lasts_ms"`
		}
		if err := s.as(node).Select(&rows, `SELECT seats, lasts_ms FROM coterie.license_keep($1, $2, $3, $4, $5, $6)`,
			node, s.lives[node], pq.Array(s.former(node)), s.numbers[node], word[0], word[1]); err != nil {
			return refusal(err)
		}
		return fmt.Sprintf("keeps %d for %v", rows[0].Seats, time.Duration(rows[0].Lasts)*time.Millisecond)
	case "saw":
		var told bool
		if err := s.as(node).Get(&told, `SELECT coterie.license_saw($1, $2, $3, $4, $5, 1, '')`, node, s.lives[node], word[0], word[1], word[2]); err != nil {
			return refusal(err)
		}
		if !told {
			return "not of the list"
		}
		return ""
	case "sweep":
		return s.sweep(node, word[0], word[1] == "watched")
	case "late":
		return s.batch(node, s.numbers[node]-1, args)
	}
	s.numbers[node]++
	return s.batch(node, s.numbers[node], rest)
}

// former are the lives before the present one, as if one process had had them all.
func (s *stage) former(node string) []int64 {
	var all []int64
	for i := int64(1); i < s.lives[node]; i++ {
		all = append(all, i)
	}
	return all
}

func (s *stage) sweep(node, pool string, watched bool) string {
	var incarnations, stamps pq.Int64Array
	if watched {
		s.must(nil, s.db.QueryRow(`SELECT coalesce(array_agg(incarnation ORDER BY incarnation), '{}'), coalesce(array_agg(stamp ORDER BY incarnation), '{}') FROM coterie.license_escrow WHERE pool = $1`, pool).Scan(&incarnations, &stamps))
	}
	if _, err := s.as(node).Exec(`SELECT coterie.license_sweep($1, $2, $3, $4, $5)`, node, s.lives[node], pool, incarnations, stamps); err != nil {
		return refusal(err)
	}
	return ""
}

func (s *stage) batch(node string, number int64, text string) string {
	var ops, pools, holders, sessions, hosts pq.StringArray
	for one := range strings.SplitSeq(text, ";") {
		op, args, _ := strings.Cut(strings.TrimSpace(one), " ")
		w := words(s, args)
		ops, pools, holders, sessions, hosts = append(ops, op), append(pools, w[0]), append(holders, w[1]), append(sessions, w[2]), append(hosts, w[3])
	}
	var rows []struct {
		N            int
		Answer       string
		Seat         *int
		Kind, Reason *string
	}
	err := s.as(node).Select(&rows, `SELECT n, answer, seat, kind, reason FROM coterie.license_batch($1, $2, $3, $4, $5, $6, $7, $8) ORDER BY n`,
		node, s.lives[node], number, ops, pools, holders, sessions, hosts)
	if err != nil {
		return refusal(err)
	}
	var out strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&out, "%s%s\n", r.Answer, outcome(r.Seat, r.Kind, r.Reason))
	}
	return out.String()
}

func outcome(seat *int, kind, reason *string) string {
	text := ""
	if seat != nil {
		text += fmt.Sprintf(" %s %d", *kind, *seat)
	}
	if reason != nil {
		text += ": " + *reason
	}
	return text
}

// words splits at blanks and understands quotes; there are always four.
func words(t testing.TB, text string) []string {
	var all []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		word, rest, _ := strings.Cut(text, " ")
		if strings.HasPrefix(text, `"`) {
			quoted := text[:2+strings.Index(text[1:], `"`)]
			if _, err := fmt.Sscanf(quoted, "%q", &word); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			rest = text[len(quoted):]
		}
		all = append(all, word)
		text = rest
	}
	for len(all) < 4 {
		all = append(all, "")
	}
	return all
}

// shown are the statements that show something, a line of text per row.
var shown = map[string]string{
	"pool": `SELECT format('%s: %s of %s, %s free, %s overdraft, %s excess, %s escrowed, %s lingering, %s on several nodes, peak %s, denied %s',
		pool, in_use, entitled, free, overdraft, excess, escrowed, lingering, on_several_nodes, peak_today, denied_24h) FROM coterie.license_pools WHERE pool = $1`,
	"seats": `SELECT format('%s %s: %s on %s since %s, %s uses%s', kind, seat, holder, array_to_string(nodes, ' '), to_char(since, 'HH24:MI:SS'), uses,
		CASE WHEN void THEN ', void' WHEN linger_until IS NOT NULL THEN ', lingers until ' || to_char(linger_until, 'HH24:MI:SS') END) FROM coterie.license_seats WHERE pool = $1 ORDER BY seat`,
	"peaks":   `SELECT format('%s: %s (%s over)%s', to_char(hour, 'DD HH24:MI'), peak, over, CASE WHEN NOT moved THEN ', carried' END) FROM coterie.license_peaks WHERE pool = $1 ORDER BY hour`,
	"denials": `SELECT format('%s: %s, %s times', holder, reason, times) FROM coterie.license_denials WHERE pool = $1 ORDER BY first_at, holder`,
	"events":  `SELECT format('%s %s %s %s%s', kind, holder, node, seats, CASE WHEN over <> 0 THEN ' over ' || over END) FROM coterie.license_events WHERE pool = $1 ORDER BY id`,
	"report": `SELECT format('%s: peak %s of %s, over %s, %s hours, %s full, denied %s to %s holders', to_char(month, 'YYYY-MM'), peak, entitled, peak_over, hours, hours_full, denied, holders_denied)
		FROM coterie.license_reports WHERE pool = $1 ORDER BY month`,
	"violations": `SELECT format('%s: %s %s', invariant, subject, text) FROM coterie.violations WHERE invariant LIKE '%' || $1 || '%'`,
	"findings":   `SELECT format('%s %s: %s', code, severity, text) FROM coterie.findings WHERE subject LIKE '%' || $1 || '%' ORDER BY code`,
	"servers":    `SELECT format('%s %s, %s of %s up, %s', server, state, servers_up, servers, CASE WHEN quorum THEN 'enough' ELSE 'too few' END) FROM coterie.license_servers WHERE $1 = '' ORDER BY place`,
	"key":        `SELECT coalesce(coterie.license_who('keep', $1), 'no name')`,
}

func (s *stage) show(what, pool string) string {
	var lines []string
	if err := s.db.Select(&lines, shown[what], pool); err != nil {
		return refusal(err)
	}
	if len(lines) == 0 {
		return "none"
	}
	return strings.Join(lines, "\n")
}
