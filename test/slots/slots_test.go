package slots

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"
)

var (
	directory = flag.String("dir", "", "directory of earlier rounds, to go on in (default: a temporary one)")
	wanted    = flag.Int("slots", 1000, "how many slots the round has at least")
	count     = flag.Int("jobs", 30, "how many jobs are due ten times a second")
	driven    = flag.Bool("driven", false, "begin and end slots as fast as the database does it, without runners")
	whole     = flag.Bool("whole", false, "run no round, and judge all that are in the directory")
	every     = flag.Duration("every", time.Second/2, "mean time between two faults")
)

func TestNoSlotStartsTwiceWhateverHappens(t *testing.T) {
	dir := *directory
	if dir == "" {
		dir = temporary(t)
	}
	if *whole {
		*count = 0
	}
	l, err := open(t.Context(), dir, *count, *driven)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}()
	if *whole {
		v := l.judge(t, 0, 0)
		t.Logf("%d slots, %d starts", v.slots, v.starts)
		return
	}
	before, err := l.size()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	harm, rivals := l.round(t, *wanted)
	took := time.Since(begun)

	v := l.judge(t, l.first, before)
	t.Logf("%d slots in %v (%.0f a second), %d starts; %v; rivals tried %d times to begin one, and might %d times",
		v.slots, took.Round(time.Second), float64(v.slots)/took.Seconds(), v.starts, harm, rivals.tried, rivals.told)
	if rivals.tried == 0 || len(harm) == 0 || v.starts < v.slots/10 {
		t.Error("too little was tried to prove anything")
	}
}

// round runs the cluster until there are enough slots.
func (l *lab) round(t *testing.T, slots int) (harm map[string]int, rivals *rivalry) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, name := range nodeNames {
		n, err := l.start(name)
		if err != nil {
			t.Fatal(err)
		}
		l.nodes = append(l.nodes, n)
	}
	var busy sync.WaitGroup
	defer busy.Wait()
	defer stop()
	rivals = new(rivalry)
	for _, name := range nodeNames {
		busy.Go(func() {
			if err := l.rival(ctx, name, rivals); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	}
	hurting := make(chan error, 1)
	hurtCtx, heal := context.WithCancel(ctx)
	defer heal()
	busy.Go(func() {
		var err error
		harm, err = l.hurt(hurtCtx, *every)
		hurting <- err
	})
	for {
		if err := rest(ctx, time.Second); err != nil {
			t.Fatal(err)
		}
		var n int
		// The statistics would do, if a crash did not reset them.
		if err := l.admin.GetContext(ctx, &n, `SELECT count(*) FROM coterie.run WHERE job >= $1`, jobName(l.first)); err == nil && n >= slots {
			break
		}
		select {
		case err := <-hurting:
			t.Fatal(err)
		default:
		}
	}
	heal()
	if err := <-hurting; err != nil {
		t.Fatal(err)
	}
	stop()
	busy.Wait()
	for _, n := range l.nodes {
		if err := n.end(); err != nil {
			t.Error(err)
		}
	}
	l.nodes = nil
	return harm, rivals
}

// judge looks at the jobs from one on, and at what was witnessed from a place on.
func (l *lab) judge(t *testing.T, from int, offset int64) verdict {
	t.Helper()
	rows, err := l.slots(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(l.witness.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	seen, err := readWitness(f)
	if err != nil {
		t.Fatal(err)
	}
	v := judge(seen, rows)
	for _, fault := range v.faults {
		t.Error(fmt.Sprint("the judge: ", fault))
	}
	return v
}

// temporary is a directory that the server's account can enter, unlike t.TempDir.
func temporary(t *testing.T) string {
	dir, err := os.MkdirTemp("", "slots-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
