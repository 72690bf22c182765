//go:build linux

package chaos

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
	"github.com/coterie-ha/coterie/test/mutants"
)

var (
	catch      = flag.Bool("mutants", false, "build each mutant and hurt it until it is caught")
	onlyMutant = flag.String("mutant", "", "only the mutants whose name contains this")
)

// A mutant is our program with a mistake of the kind that others have made. Some
// trial must catch it soon, or the trials prove little.
type mutant struct {
	mutants.Mutant
	faults []string // that bring it out
	terms  cluster.Terms
}

var allMutants = []mutant{
	{mutants.New("a session is trusted beyond its end", "kubernetes #67651, cilium PR #42920: a leader acts on after its lease has ended",
		mutants.Change("leases/terms.go", "return t.TTL - t.Margin", "return 3 * t.TTL"),
	), []string{"cut both ways", "cut towards database"}, usual},
	{mutants.New("others are ended too early", "quartznet #683, #703: a live node is declared dead under load",
		mutants.Change("leases/request.go", "now-w.since >= w.TTL", "now-w.since >= w.TTL/4"),
		mutants.Change("leases/request.go", "ripe := w.since + w.TTL;", "ripe := w.since + w.TTL/4;"),
		mutants.Change("sql/schema/functions/tick.sql", "coterie.is_expired(d) AND", ""),
	), []string{"freeze agent", "cut both ways", "slow, then gone"}, usual},
	{mutants.New("the supervisor keeps no deadline", "db-scheduler #402: a process that was frozen wakes, and its work goes on",
		mutants.Change("coordinator/supervisor/loop.go", "		s.endBound(s.grace)\n", ""),
	), []string{"freeze agent"}, usual},
	{mutants.New("the agent promises the supervisor too much", "Patroni #3639: the watchdog is gone while what it guards still lives",
		mutants.Change("cmd/coterie/agent_life.go", "supervisor.BootTime()+t.Trust,", "supervisor.BootTime()+5*t.Trust,"),
	), []string{"freeze agent"}, usual},
	{mutants.New("programs outlive a dead agent", "dkron: 22 programs lived on after their agent was killed",
		mutants.Change("coordinator/supervisor/loop.go", "\"runs\", len(s.trees))\n	s.endAll(CauseAgent, 0)", "\"runs\", len(s.trees))"),
		mutants.Change("coordinator/supervisor/loop.go", "\"err\", err)\n	}\n	s.endAll(CauseAgent, 0)", "\"err\", err)\n	}"),
		mutants.Change("coordinator/supervisor/loop.go", "return len(s.trees) == 0 && s.alone ||", "return true ||"),
		mutants.Change("coordinator/supervisor/will.go", "if len(s.trees) > 0 {", "if false {"),
		mutants.Change("coordinator/supervisor/os_linux.go", "unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL)", "unix.PR_SET_PDEATHSIG, 0"),
		mutants.Change("coordinator/supervisor/fork/fork_linux.go", "syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL)", "syscall.PR_SET_PDEATHSIG, 0"),
	), []string{"kill agent"}, usual},
	{mutants.New("assert_lease does not look at the token", "Hazelcast 3.8.3 (Jepsen): a lock that is held says nothing of who holds it",
		mutants.Change("sql/schema/functions/assert_lease.sql", " AND l.token OPERATOR(pg_catalog.=) assert_lease.token", ""),
	), []string{"freeze host"}, usual},
	{mutants.New("assert_lease does not hold the lease", "etcd #11456 (Jepsen): the lease is looked at, and gone when the work is done",
		mutants.Change("sql/schema/functions/assert_lease.sql", "    FOR SHARE OF l;", "    ;"),
	), []string{"freeze host"}, usual},
	{mutants.New("a new holder gets the old token", "ShedLock: no holder can be told from the one before",
		mutants.Change("sql/schema/functions/tick.sql", "token = taken.token,", "token = greatest(l.token, 1),"),
	), []string{"terminate"}, usual},
	{mutants.New("slots that were missed get no row", "River: 12 to 20 of 23 due instants were never heard of after a failover",
		mutants.Change("jobs/step.go", "	out = s.pass(out, owed[:run], older, now)\n", ""),
	), []string{"kill host", "cut both ways"}, usual},
	{mutants.New("a run is begun that the database refuses", "Quartz #107, Metabase PR #70474: two nodes fire one instant",
		mutants.Change("jobs/attempt.go", "if answer != AnswerBegun {", "if false {"),
		mutants.Change("jobs/held.go", "Accounted: at.Accounted.Time,", ""),
	), []string{"terminate", "kill agent"}, usual},
	{mutants.New("a new era is not quiet", "River: another leader 84 ms after a crash, while the old one trusts itself for 14 s",
		mutants.Change("sql/schema/functions/tick.sql", "cardinality(p_claim_names) > 0 AND settled THEN", "cardinality(p_claim_names) > 0 THEN"),
		mutants.Change("leases/step.go", "s.quiet = seen + era.Quiet", "s.quiet = seen"),
	), afterLoss, usual},
	{mutants.New("a promotion begins no era", "every lease in a row: an asynchronous promotion gives fencing epochs twice",
		mutants.Change("sql/schema/functions/era_check.sql", "IF c.timeline <> coterie.timeline() THEN", "IF false THEN"),
		mutants.Change("sql/schema/functions/era_check.sql", "IF p_mark > coterie.last_token() THEN", "IF false THEN"),
		mutants.Change("sql/schema/functions/tick.sql", "IF p_old THEN", "IF false THEN"),
		mutants.Change("leases/step.go", "if s.old = s.old || s.cut(e); s.old {", "if false {"),
	), afterLoss, usual},
}

// The mutants are kept up with the program.
func TestEachMutantFitsTheCodeAndTheManual(t *testing.T) {
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	var all []mutants.Mutant
	for _, m := range allMutants {
		all = append(all, m.Mutant)
		for _, kind := range m.faults {
			if nodeFaults[kind] == nil && databaseFaults[kind] == nil && failOvers[kind] == nil {
				t.Errorf("%s: no fault is called %q", m.Name, kind)
			}
		}
	}
	for _, err := range mutants.Fit(root, all) {
		t.Error(err)
	}
}

// build builds the mutant; the files themselves stay as they are.
func (m mutant) build(t *testing.T) string {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay, err := m.Overlay(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	program, err := cluster.Build(dir, overlay)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func TestEachMutantIsCaught(t *testing.T) {
	if !*catch {
		t.Log("only with -mutants: it takes some minutes")
		return
	}
	for _, m := range allMutants {
		if !strings.Contains(m.Name, *onlyMutant) {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			program := m.build(t)
			begun := time.Now()
			for n := uint64(0); time.Since(begun) < time.Minute; n++ {
				lasts, lossy := 5*m.terms.TTL, slices.Contains(m.faults, FailOver)
				if lossy {
					lasts *= 2
				}
				_, found := trial{program: program, seed: *seed + n, lasts: lasts, only: m.faults, terms: m.terms, atOnce: 2, lossy: lossy}.run(t)
				if len(found) > 0 {
					t.Logf("%d violations: %v\n%s", len(found), found[0], m.Row("real processes: "+found[0].Promise, time.Since(begun).Seconds()))
					return
				}
			}
			t.Errorf("not caught in %v", time.Since(begun).Round(time.Second))
		})
	}
}
