package leasesim

import "time"

// clock runs at its own rate, and may be moved or stand still.
type clock struct {
	rate  int64         // per mille of real time
	from  time.Duration // real time at which it showed
	shows time.Duration
}

func (c *clock) at(real time.Duration) time.Duration {
	return c.shows + (real-c.from)*time.Duration(c.rate)/1000
}

// when is the first real moment at which the clock shows at least that.
func (c *clock) when(shown time.Duration) time.Duration {
	ahead := shown - c.shows
	switch {
	case ahead <= 0:
		return c.from
	case c.rate == 0:
		return never
	}
	return c.from + (ahead*1000+time.Duration(c.rate)-1)/time.Duration(c.rate)
}

// turn changes the rate, and moves the clock, from now on.
func (c *clock) turn(real time.Duration, rate int64, by time.Duration) {
	c.from, c.shows, c.rate = real, c.at(real)+by, rate
}

// never is later than any moment of a run.
const never = time.Duration(1 << 62)
