package leasesim

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	hours = flag.Float64("sim.hours", 0, "simulated hours; 0: 100, or 20 with -short")
	seed  = flag.Uint64("sim.seed", 1, "first seed; each run has its own")
	trace = flag.Bool("sim.trace", false, "simulate the first seed alone and print every step")
)

// runLength is simulated in one run: some storms, each followed by quiet.
const runLength = 20 * time.Minute

func TestStormsBreakNoPromise(t *testing.T) {
	if *trace {
		o := Run(Plan{Seed: *seed, Length: runLength, Trace: os.Stdout})
		judge(t, o)
		return
	}
	most := *hours
	if most == 0 {
		most = 100
		if testing.Short() {
			most = 12
		}
	}
	began := time.Now()
	all, runs := runAll(t, Plan{Seed: *seed, Length: runLength}, int(most*float64(time.Hour)/float64(runLength)))
	took := time.Since(began)
	passed := time.Duration(runs) * runLength
	t.Logf("%.0f hours in %v: %.0f times real time\n%v", passed.Hours(), took.Round(time.Millisecond), float64(passed)/float64(took), all)
	if !t.Failed() {
		enough(t, all, passed.Hours())
	}
}

// runAll runs a plan with that many seeds, on every processor, until three have failed:
// of one alone it cannot be told whether it is of a kind.
func runAll(t *testing.T, plan Plan, runs int) (Outcome, int) {
	// Each run makes little garbage at a time; collecting it less often is a quarter of the time.
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	var (
		mu   sync.Mutex // guards all and done
		all  Outcome
		done int
		bad  atomic.Int64
		next atomic.Int64
		wait sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(runs) || bad.Load() >= 3 {
					return
				}
				p := plan
				p.Seed += uint64(n - 1)
				o := Run(p)
				mu.Lock()
				all.add(o)
				done++
				judge(t, o)
				mu.Unlock()
				if len(o.Violations) > 0 {
					bad.Add(1)
				}
			}
		})
	}
	wait.Wait()
	return all, done
}

func judge(t *testing.T, o Outcome) {
	t.Helper()
	for _, v := range o.Violations {
		t.Errorf("seed %d: %s", o.Plan.Seed, v)
	}
	if len(o.Violations) > 0 {
		t.Logf("to see every step: go test ./leases/leasesim -run TestStorms -sim.seed=%d -sim.trace", o.Plan.Seed)
	}
}

// enough fails a run in which too little happened to prove anything.
func enough(t *testing.T, o Outcome, hours float64) {
	t.Helper()
	least := map[string]float64{ // per hour
		"grants": 100, "takeovers": 15, "retakes": 15, "losses": 50, "unknown outcomes": 20, "refused processes": 1,
		"eras": 5, "effects": 500, "refused assertions": 20, "looks in quiet": 5, "moves in quiet": 3, "traps sprung": 10,
	}
	for name, n := range map[string]int{
		"grants": o.Grants, "takeovers": o.Takeovers, "retakes": o.Retakes, "losses": o.Lost, "unknown outcomes": o.Unknown,
		"refused processes": o.Taken, "eras": o.Eras, "effects": o.Effects, "refused assertions": o.Refused,
		"looks in quiet": o.Calms, "moves in quiet": o.Moved, "traps sprung": o.Faults["trap sprung"],
	} {
		if float64(n) < least[name]*hours {
			t.Errorf("%d %s in %.0f hours, want at least %.0f: too few to prove anything", n, name, hours, least[name]*hours)
		}
	}
	for _, kinds := range [][]fault{ofNodes, ofDatabase, plots} {
		for _, f := range kinds {
			if n := o.Faults[f.name]; float64(n) < hours/2 {
				t.Errorf("fault %q struck %d times in %.0f hours: too few to prove anything", f.name, n, hours)
			}
		}
	}
}

func TestReplayIsExact(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		var first, second bytes.Buffer
		a := Run(Plan{Seed: seed, Length: runLength, Trace: &first})
		b := Run(Plan{Seed: seed, Length: runLength, Trace: &second})
		if a.Digest != b.Digest || fmt.Sprint(a) != fmt.Sprint(b) || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("seed %d went differently the second time", seed)
		}
		if a.Digest == Run(Plan{Seed: seed + 1000, Length: runLength}).Digest {
			t.Errorf("another seed than %d went the same way", seed)
		}
	}
}

// Our calls never repeat a statement; database/sql does when it is let.
func TestRepeatedStatementsBreakNoPromise(t *testing.T) {
	all, _ := runAll(t, Plan{Seed: 1_000_000, Length: runLength, Duplicates: true}, 30)
	if n := all.Faults["request repeated"]; !t.Failed() && n < 1000 {
		t.Errorf("%d statements were repeated: too few to prove anything", n)
	}
}
