package leasesim

import (
	"slices"
	"time"
)

// What a process waits for; one that was frozen finds several ready, and takes any first.
const (
	fromDatabase = iota
	fromHolders
	fromTimers
	channels
)

// deliver brings something to the process: now, or when it is awake and done
// with what it does.
func (p *process) deliver(channel int, f func()) {
	if p.gone {
		return
	}
	p.ready[channel] = append(p.ready[channel], f)
	p.drain()
}

// drain takes in what is ready, one at a time.
func (p *process) drain() {
	if p.busy {
		return
	}
	p.busy = true
	for p.frozen == 0 && !p.gone {
		c := p.pick()
		if c < 0 {
			break
		}
		f := p.ready[c][0]
		p.ready[c] = slices.Delete(p.ready[c], 0, 1)
		f()
	}
	p.busy = false
}

// pick chooses a channel that has something, or -1: any of them, as select does.
func (p *process) pick() int {
	var some [channels]int
	n := 0
	for c := range p.ready {
		if len(p.ready[c]) > 0 {
			some[n] = c
			n++
		}
	}
	switch n {
	case 0:
		return -1
	case 1:
		return some[0]
	}
	return some[p.w.rand.IntN(n)]
}

// freeze stops everything in the process, as a stop signal does.
func (p *process) freeze() {
	p.frozen++
	p.w.note("freezes", p, "", int64(p.frozen))
}

func (p *process) resume() {
	if p.frozen--; p.frozen > 0 || p.gone {
		return
	}
	p.woke = p.w.now
	p.w.note("wakes", p, "", 0)
	now := p.host.timers()
	for _, a := range slices.Clone(p.alarms) {
		if now >= a.due {
			a.stop()
			p.ready[fromTimers] = append(p.ready[fromTimers], a.do)
		} else {
			a.plan()
		}
	}
	p.drain()
}

// alarm is a timer of a process.
type alarm struct {
	p   *process
	due time.Duration // on the clock of timers
	do  func()
}

func (p *process) sleep(d time.Duration, do func()) *alarm {
	a := &alarm{p: p, due: p.host.timers() + max(d, 0), do: do}
	p.alarms = append(p.alarms, a)
	a.plan()
	return a
}

func (a *alarm) plan() {
	p := a.p
	if p.frozen > 0 {
		return // resume will
	}
	p.w.queue.push(p.host.clock.when(a.due+p.host.slept), func() {
		if p.gone || p.frozen > 0 || !slices.Contains(p.alarms, a) || p.host.timers() < a.due {
			return
		}
		a.stop()
		p.deliver(fromTimers, a.do)
	})
}

func (a *alarm) stop() {
	if i := slices.Index(a.p.alarms, a); i >= 0 {
		a.p.alarms = slices.Delete(a.p.alarms, i, i+1)
	}
}
