package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lib/pq"
	"pgregory.net/rapid"
)

func TestCallsThatComeTogetherGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var sizes []int
		d := &desk[int, int]{send: func(_ context.Context, batch []int) ([]int, error) {
			mu.Lock()
			sizes = append(sizes, len(batch))
			mu.Unlock()
			time.Sleep(time.Millisecond)
			out := slices.Clone(batch)
			for i := range out {
				out[i] *= 2
			}
			return out, nil
		}}
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				if out, err := d.call(t.Context(), i); err != nil || out != 2*i {
					t.Errorf("%d: got %d, %v", i, out, err)
				}
			})
		}
		wg.Wait()
		// Seven would do; when both lanes are handed on at the end, the last call may go alone.
		if len(sizes) > 8 || slices.Max(sizes) != batchSize {
			t.Errorf("a thousand calls went in batches of %v", sizes)
		}
		if d.busy != 0 || len(d.queue) != 0 {
			t.Errorf("at the end %d lanes are taken and %d wait", d.busy, len(d.queue))
		}
	})
}

// Whatever is given up, refused or broken: everybody gets the answer to what they
// asked or an error, and no lane is lost.
func TestADeskServesEverybodyWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type caller struct{ comes, gives time.Duration }
		callers := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) caller {
			return caller{
				time.Duration(rapid.IntRange(0, 5).Draw(t, "comes")) * time.Millisecond,
				time.Duration(rapid.IntRange(1, 9).Draw(t, "gives up")) * time.Millisecond,
			}
		}), 1, 40).Draw(rt, "callers")
		poison := rapid.IntRange(-1, len(callers)-1).Draw(rt, "poison")
		synctest.Test(t, func(t *testing.T) {
			d := &desk[int, string]{send: func(ctx context.Context, batch []int) ([]string, error) {
				if err := pause(ctx, 3*time.Millisecond); err != nil {
					return nil, err
				}
				if slices.Contains(batch, poison) {
					return nil, &pq.Error{Code: "22000"}
				}
				var out []string
				for _, n := range batch {
					out = append(out, fmt.Sprint(n))
				}
				return out, nil
			}}
			var wg sync.WaitGroup
			for i, c := range callers {
				wg.Go(func() {
					time.Sleep(c.comes)
					ctx, cancel := context.WithTimeout(t.Context(), c.gives)
					defer cancel()
					out, err := d.call(ctx, i)
					if err == nil && (out != fmt.Sprint(i) || i == poison) {
						rt.Errorf("%d got %q", i, out)
					}
				})
			}
			wg.Wait()
			synctest.Wait()
			if d.busy != 0 || len(d.queue) != 0 {
				rt.Errorf("at the end %d lanes are taken and %d wait", d.busy, len(d.queue))
			}
			if _, err := d.call(t.Context(), -2); err != nil {
				rt.Errorf("afterwards: %v", errors.Unwrap(err))
			}
		})
	})
}
