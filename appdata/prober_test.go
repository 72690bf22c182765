package appdata

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func seen(s State, took time.Duration) Condition {
	c := Condition{State: OK, Latency: took, MarkerOK: true, Readable: true, Writable: true}
	if s != OK {
		c.Writable = false
		c.worsen(s, "because")
	}
	return c
}

func TestVerdictDoesNotFlutter(t *testing.T) {
	const quick, middling, slow = 5 * time.Millisecond, 40 * time.Millisecond, 90 * time.Millisecond
	type step struct {
		found State
		took  time.Duration
		want  State
	}
	for name, steps := range map[string][]step{
		"bad news counts at once":                      {{OK, quick, OK}, {Hung, 0, Hung}},
		"good news counts when seen twice":             {{Hung, 0, Hung}, {OK, quick, Hung}, {OK, quick, OK}},
		"a share that comes and goes is bad":           {{Hung, 0, Hung}, {OK, quick, Hung}, {Hung, 0, Hung}, {OK, quick, Hung}, {OK, quick, OK}},
		"worse news after bad counts at once":          {{Full, 0, Full}, {NotMounted, 0, NotMounted}},
		"one slow write is no news":                    {{OK, quick, OK}, {OK, quick, OK}, {OK, slow, OK}, {OK, quick, OK}, {OK, slow, OK}},
		"a slow start is waited out":                   {{OK, slow, OK}, {OK, slow, OK}, {OK, quick, Degraded}, {OK, quick, Degraded}, {OK, quick, OK}},
		"most writes slow is slow":                     {{OK, slow, OK}, {OK, slow, OK}, {OK, slow, Degraded}},
		"between the two thresholds the verdict stays": {{OK, slow, OK}, {OK, slow, OK}, {OK, slow, Degraded}, {OK, middling, Degraded}, {OK, middling, Degraded}, {OK, middling, Degraded}, {OK, middling, Degraded}},
		"middling alone is not slow":                   {{OK, middling, OK}, {OK, middling, OK}, {OK, middling, OK}, {OK, middling, OK}},
	} {
		t.Run(name, func(t *testing.T) {
			var j Judge
			for i, s := range steps {
				if got := j.Next(seen(s.found, s.took)); got.State != s.want {
					t.Fatalf("step %d (%s, %v): got %s, want %s", i, s.found, s.took, got.State, s.want)
				}
			}
		})
	}
}

// story plays conditions to a Prober and gives what it reported, when.
func story(t *testing.T, lasts time.Duration, find func(time.Duration) (Condition, error), take func(time.Duration) error) (told []string, probes int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), lasts)
		defer cancel()
		p := Prober{
			Share: func() Share { return Share{} },
			Probe: func(context.Context, Share) (Condition, error) {
				probes++
				return find(time.Since(begun))
			},
		}
		err := p.Run(ctx, func(_ context.Context, c Condition) error {
			if err := take(time.Since(begun)); err != nil {
				return err
			}
			told = append(told, time.Since(begun).String()+" "+string(c.State))
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run ended with %v", err)
		}
	})
	return told, probes
}

func always(time.Duration) error { return nil }

func TestOnlyNewsIsReported(t *testing.T) {
	free := int64(1 << 40)
	told, probes := story(t, 6*time.Minute, func(time.Duration) (Condition, error) {
		c := seen(OK, 5*time.Millisecond)
		free-- // what moves all the time is not news
		c.FreeBytes, c.FreeInodes, c.Latency, c.Token = free, free, time.Duration(free%7+1)*time.Millisecond, 1<<50-free
		c.Ahead = time.Duration(free)
		return c, nil
	}, always)
	if want := []string{"0s OK", "5m0s OK"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if probes < 71 || probes > 73 {
		t.Errorf("%d probes in 6 min, want one every 5 s", probes)
	}
}

func TestTroubleIsReportedAndLookedAtMoreOften(t *testing.T) {
	told, probes := story(t, 40*time.Second, func(at time.Duration) (Condition, error) {
		switch {
		case at < 7*time.Second:
			return seen(OK, time.Millisecond), nil
		case at < 20*time.Second:
			return seen(Hung, 0), nil
		case at < 25*time.Second:
			return Condition{}, errors.New("fork: resource temporarily unavailable")
		}
		return seen(OK, time.Millisecond), nil
	}, always)
	want := []string{"0s OK", "10s HUNG", "21.875s DEGRADED", "26.875s OK"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if probes < 20 {
		t.Errorf("%d probes: a share in trouble is looked at every second", probes)
	}
}

func TestReportThatFailsIsMadeAgain(t *testing.T) {
	told, _ := story(t, 30*time.Second, func(time.Duration) (Condition, error) { return seen(OK, time.Millisecond), nil },
		func(at time.Duration) error {
			if at < 12*time.Second {
				return errors.New("the database is away")
			}
			return nil
		})
	if want := []string{"15s OK"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestWorstProblemGivesTheState(t *testing.T) {
	c := Condition{State: OK}
	c.worsen(Degraded, "a")
	c.worsen(NotMounted, "b")
	c.worsen(Full, "c")
	if c.State != NotMounted || c.Reason != "b; a; c" {
		t.Errorf("got %s %q", c.State, c.Reason)
	}
	seen := map[State]bool{}
	for _, s := range States() {
		if seen[s] || strings.ToUpper(string(s)) != string(s) {
			t.Errorf("%q", s)
		}
		seen[s] = true
	}
}

// Between two probes a sign of life is asked for: what hangs is known when that is late.
func TestAShareThatHangsBetweenProbesIsNamedSoon(t *testing.T) {
	const deadline = 2 * time.Second
	for name, c := range map[string]struct {
		touch func(time.Duration) (string, *Condition, error)
		wrong time.Duration // since when it is another share
		want  []string
	}{
		"it hangs": {func(at time.Duration) (string, *Condition, error) {
			if at < 7200*time.Millisecond {
				return "1", nil, nil
			}
			time.Sleep(deadline)
			c := seen(Hung, 0)
			return "", &c, nil
		}, 7200 * time.Millisecond, []string{"0s OK", "9.5s HUNG"}},
		"another folder lies there": {func(at time.Duration) (string, *Condition, error) {
			if at < 7200*time.Millisecond {
				return "1", nil, nil
			}
			return "2", nil, nil
		}, 7200 * time.Millisecond, []string{"0s OK", "7.5s WRONG_SHARE"}},
		"the first place may be another than what was probed": {func(time.Duration) (string, *Condition, error) {
			return "1", nil, nil
		}, 300 * time.Millisecond, []string{"0s OK", "500ms WRONG_SHARE"}},
		"an error is no place": {func(at time.Duration) (string, *Condition, error) {
			if at < 7200*time.Millisecond {
				return "1", nil, nil
			}
			return "", nil, errors.New("stale file handle")
		}, 7200 * time.Millisecond, []string{"0s OK", "7.5s WRONG_SHARE"}},
		"nothing happens": {func(time.Duration) (string, *Condition, error) { return "1", nil, nil }, 7200 * time.Millisecond, []string{"0s OK", "10.5s WRONG_SHARE"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 11*time.Second)
				defer cancel()
				var told []string
				hangs := false
				p := Prober{
					Share: func() Share { return Share{} },
					Probe: func(context.Context, Share) (Condition, error) {
						if hangs {
							time.Sleep(deadline)
							return seen(Hung, 0), nil
						}
						if time.Since(begun) > c.wrong {
							return seen(WrongShare, 0), nil
						}
						return seen(OK, time.Millisecond), nil
					},
					Touch: func(context.Context) (place string, hung *Condition, err error) {
						place, hung, err = c.touch(time.Since(begun))
						hangs = hung != nil
						return place, hung, err
					},
				}
				_ = p.Run(ctx, func(_ context.Context, c Condition) error {
					told = append(told, time.Since(begun).String()+" "+string(c.State))
					return nil
				})
				if !slices.Equal(told, c.want) {
					t.Errorf("told %q, want %q", told, c.want)
				}
			})
		})
	}
}
