package license

import (
	"errors"
	"flag"
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
//	begin NODE                 a session of a node
//	end NODE                   its process is surely gone
//	lose NODE                  others have ended its session; its process may be there
//	NODE follows               its next process begins a session, and knows that the one before is gone
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
	case "lose":
		s.must(s.db.Exec(`DELETE FROM coterie.session WHERE node = $1`, rest))
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
