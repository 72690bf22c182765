//go:build !linux

package leases

import "time"

// suspended is zero where Go's monotonic clock goes on while the host sleeps, or
// where no second clock can be asked.
func suspended() time.Duration { return 0 }
