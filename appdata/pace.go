package appdata

import (
	"context"
	"sync"
	"time"
)

// pace spreads work over time: so much per second, however many do it. Its
// zero value does not slow anybody down.
type pace struct {
	perSecond int64

	mu   sync.Mutex
	next time.Time // guarded by mu: when the next may begin
}

// Pace lets so much per second pass, however many ask; 0 is no bound.
func Pace(perSecond int64) func(ctx context.Context, n int64) error {
	p := &pace{perSecond: perSecond}
	return p.wait
}

func (p *pace) wait(ctx context.Context, n int64) error {
	if p.perSecond <= 0 {
		return nil
	}
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	mine := p.next.Sub(now)
	p.next = p.next.Add(time.Duration(n) * time.Second / time.Duration(p.perSecond))
	p.mu.Unlock()
	if mine <= 0 {
		return nil
	}
	timer := time.NewTimer(mine)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
