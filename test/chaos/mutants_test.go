//go:build linux

package chaos

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

var mutants = flag.Bool("mutants", false, "build each mutant and hurt it until it is caught")

// edit is a change of one file: the text must occur in it.
type edit struct{ file, was, is string }

// A mutant is our program with a mistake of the kind that others have made. Some
// trial must catch it soon, or the trials prove little.
type mutant struct {
	name   string
	edits  []edit
	faults []string // that bring it out
	terms  cluster.Terms
}

var allMutants = []mutant{
	{"a session is trusted beyond its end", []edit{
		{"leases/terms.go", "return t.TTL - t.Margin", "return 3 * t.TTL"},
	}, []string{"cut both ways", "cut towards database"}, usual},
	{"trust counts from the answer", []edit{
		{"leases/loop.go", "Began: b.began,", "Began: now,"},
	}, []string{"slow, then gone"}, cluster.Terms{TTL: 3 * time.Second, Heartbeat: 200 * time.Millisecond, Margin: 50 * time.Millisecond}},
	{"others are ended too early", []edit{
		{"leases/request.go", "now-w.since >= w.TTL", "now-w.since >= w.TTL/4"},
		{"leases/request.go", "ripe := w.since + w.TTL;", "ripe := w.since + w.TTL/4;"},
		{"sql/schema/functions/tick.sql", "coterie.is_expired(d) AND", ""},
	}, []string{"freeze agent", "cut both ways", "slow, then gone"}, usual},
	{"the supervisor keeps no deadline", []edit{
		{"coordinator/supervisor/loop.go", "		s.endAll(CauseDeadline, s.grace)\n", ""},
	}, []string{"freeze agent"}, usual},
	{"the agent promises the supervisor too much", []edit{
		{"cmd/coterie/agent_life.go", "supervisor.BootTime()+t.Trust,", "supervisor.BootTime()+5*t.Trust,"},
	}, []string{"freeze agent"}, usual},
	{"programs outlive a dead agent", []edit{
		{"coordinator/supervisor/loop.go", "\"runs\", len(s.trees))\n	s.endAll(CauseAgent, 0)", "\"runs\", len(s.trees))"},
		{"coordinator/supervisor/loop.go", "\"err\", err)\n	}\n	s.endAll(CauseAgent, 0)", "\"err\", err)\n	}"},
		{"coordinator/supervisor/loop.go", "return len(s.trees) == 0 && s.alone ||", "return true ||"},
		{"coordinator/supervisor/will.go", "if len(s.trees) > 0 {", "if false {"},
		{"coordinator/supervisor/os_linux.go", "unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL)", "unix.PR_SET_PDEATHSIG, 0"},
	}, []string{"kill agent"}, usual},
	{"assert_lease does not look at the token", []edit{
		{"sql/schema/functions/assert_lease.sql", "l.name = assert_lease.name AND l.token = assert_lease.token AND", "l.name = assert_lease.name AND"},
	}, []string{"freeze host"}, usual},
	{"assert_lease does not hold the lease", []edit{
		{"sql/schema/functions/assert_lease.sql", "    FOR SHARE OF l;", "    ;"},
	}, []string{"freeze host"}, usual},
	{"a new holder gets the old token", []edit{
		{"sql/schema/functions/tick.sql", "token = coterie.next_token(),", "token = greatest(l.token, 1),"},
	}, []string{"terminate"}, usual},
	{"slots that were missed get no row", []edit{
		{"jobs/step.go", "	out = s.miss(out, owed[:run], older)\n", ""},
	}, []string{"kill host", "cut both ways"}, usual},
	{"a run is begun that the database refuses", []edit{
		{"jobs/hold.go", "if answer != AnswerBegun {", "if false {"},
		{"jobs/hold.go", "Accounted: at.Accounted.Time,", ""},
	}, []string{"terminate", "kill agent"}, usual},
	{"a new era is not quiet", []edit{
		{"sql/schema/functions/tick.sql", "cardinality(p_claim_names) > 0 AND settled THEN", "cardinality(p_claim_names) > 0 THEN"},
		{"leases/step.go", "s.quiet = seen + era.Quiet", "s.quiet = seen"},
	}, afterLoss, usual},
	{"a promotion begins no era", []edit{
		{"sql/schema/functions/era_check.sql", "IF c.timeline <> coterie.timeline() THEN", "IF false THEN"},
		{"sql/schema/functions/era_check.sql", "ELSIF p_mark > coterie.last_token() THEN", "ELSIF false THEN"},
		{"sql/schema/functions/tick.sql", "IF p_old THEN", "IF false THEN"},
		{"sql/schema/functions/assert_lease.sql", "c.timeline = coterie.timeline() AND", ""},
	}, afterLoss, usual},
}

// The mutants are kept up with the program.
func TestEachMutantApplies(t *testing.T) {
	for _, m := range allMutants {
		m.apply(t)
		for _, kind := range m.faults {
			if nodeFaults[kind] == nil && databaseFaults[kind] == nil && failOvers[kind] == nil {
				t.Errorf("%s: no fault is called %q", m.name, kind)
			}
		}
	}
}

// apply returns the text of each file that the mutant changes.
func (m mutant) apply(t *testing.T) map[string]string {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range m.edits {
		file := filepath.Join(root, e.file)
		if files[file] == "" {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			files[file] = string(text)
		}
		if strings.Count(files[file], e.was) != 1 {
			t.Errorf("%s: %q is not once in %s", m.name, e.was, e.file)
		}
		files[file] = strings.Replace(files[file], e.was, e.is, 1)
	}
	return files
}

// build builds the mutant; the files themselves stay as they are.
func (m mutant) build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for file, text := range m.apply(t) {
		replace[file] = filepath.Join(dir, fmt.Sprintf("%d", len(replace)))
		if err := os.WriteFile(replace[file], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	doc, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := cluster.Build(dir, overlay)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func TestEachMutantIsCaught(t *testing.T) {
	if !*mutants {
		t.Log("only with -mutants: it takes some minutes")
		return
	}
	for _, m := range allMutants {
		t.Run(m.name, func(t *testing.T) {
			program := m.build(t)
			begun := time.Now()
			for n := uint64(0); time.Since(begun) < time.Minute; n++ {
				lasts := 5 * m.terms.TTL
				_, found := trial{program: program, seed: *seed + n, lasts: lasts, only: m.faults, terms: m.terms, atOnce: 2, lossy: slices.Contains(m.faults, "fail over")}.run(t)
				if len(found) > 0 {
					t.Logf("caught after %v, %d violations: %v", time.Since(begun).Round(time.Second), len(found), found[0])
					return
				}
			}
			t.Errorf("not caught in %v", time.Since(begun).Round(time.Second))
		})
	}
}
