package leases

import (
	"sync"
	"time"
)

// Clock estimates the database's clock from heartbeats, so that every node
// computes slots from the same time. Its zero value is ready; Now is zero until
// the first sample.
type Clock struct {
	mu      sync.Mutex // guards what follows
	sampled time.Time  // own monotonic moment of the best sample
	said    time.Time  // the database's time at that moment, as estimated
	delay   time.Duration
	age     int
}

// resample is after how many samples the best one is forgotten: host clocks drift.
const resample = 16

// Observe takes one sample: the database said now, between began and received.
// The sample with the least delay wins, unless it contradicts a new one (the
// database's clock stepped, or this host slept).
func (c *Clock) Observe(began, received, now time.Time) {
	delay := received.Sub(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.age++
	middle := now.Add(delay / 2)
	off := middle.Sub(c.at(received)).Abs()
	if c.said.IsZero() || delay <= c.delay || c.age > resample || off > (delay+c.delay)/2+time.Millisecond {
		c.sampled, c.said, c.delay, c.age = received, middle, delay, 0
	}
}

// Now is the database's time, within half the delay of the best sample.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said.IsZero() {
		return time.Time{}
	}
	return c.at(time.Now())
}

func (c *Clock) at(t time.Time) time.Time { return c.said.Add(t.Sub(c.sampled)) }
