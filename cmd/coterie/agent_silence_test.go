package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

func TestEachTurnOfASilenceIsSaidOnce(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	var s silence
	now := time.Now()
	beat := func(trust time.Duration, err error) {
		s.heard(log, leases.Tick{Trust: trust, Err: err}, now)
		now = now.Add(time.Second)
	}
	down := errors.New("refused")
	for range 2 {
		beat(4*time.Second, nil)
		beat(3*time.Second, down)
		beat(2*time.Second, down)
		beat(-time.Second, down)
		beat(-2*time.Second, down)
		beat(4*time.Second, nil)
		beat(4*time.Second, nil)
	}
	for text, times := range map[string]int{
		"does not answer": 2, "jobs_may_go_on_for=3s": 2, "authority has ended": 2, "silent_for=2s": 2, "answers again": 2, "after=4s": 2, "level=": 6,
	} {
		if n := strings.Count(out.String(), text); n != times {
			t.Errorf("%q is said %d times, want %d:\n%s", text, n, times, out.String())
		}
	}
}
