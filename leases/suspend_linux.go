package leases

import (
	"time"

	"golang.org/x/sys/unix"
)

// suspended is how long this host has slept since it booted: what its boot-time
// clock counted and its monotonic clock, which Go's timers use, did not.
func suspended() time.Duration {
	for {
		before, err1 := clock(unix.CLOCK_BOOTTIME)
		mono, err2 := clock(unix.CLOCK_MONOTONIC)
		after, err3 := clock(unix.CLOCK_BOOTTIME)
		if err1 != nil || err2 != nil || err3 != nil {
			return 0 // no such clock: the host cannot sleep
		}
		// A reading torn by a pause would shift the node's clock by that pause.
		if after-before < time.Millisecond {
			return before - mono
		}
	}
}

func clock(id int32) (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(id, &t)
	return time.Duration(t.Nano()), err
}
