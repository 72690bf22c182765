package leasesim

import "time"

// link is a host's way to the database.
type link struct {
	refuses bool // connections fail at once
	mute    bool // requests vanish
	deaf    bool // answers vanish
	loses   int  // per mille of requests and answers vanish
	slow    time.Duration
	late    time.Duration // answers only
	noHints bool
}

// call is a statement on its way, as its client sees it.
type call struct {
	over  bool // answered, failed or given up
	alarm *alarm
}

// call sends a statement; done is told its fate once, unless the process is gone.
func (p *process) call(s statement, timeout time.Duration, done func(ok bool)) {
	w, l := p.w, &p.host.link
	c := &call{}
	finish := func(ok bool) {
		if c.over {
			return
		}
		c.over = true
		c.alarm.stop()
		done(ok)
	}
	c.alarm = p.sleep(timeout, func() { finish(false) })
	arrive := func(ok bool, after time.Duration) {
		w.after(after, func() { p.deliver(fromDatabase, func() { finish(ok) }) })
	}
	if l.refuses {
		arrive(false, w.between(100*time.Microsecond, 2*time.Millisecond))
		return
	}
	broke := w.db.broke
	executed := false
	reply := func(ok bool) {
		if ok && !executed {
			executed = true
			if c.over || p.gone {
				w.Unknown++
			}
		}
		switch {
		case l.deaf || w.perMille(l.loses):
			w.faults["answer lost"]++
			w.lost = append(w.lost, func() { arrive(false, 0) })
			if ok && !c.over {
				w.Unknown++
			}
		default:
			arrive(ok, l.delay(w)+l.late)
		}
	}
	if l.mute || w.perMille(l.loses) {
		w.faults["request lost"]++
		w.lost = append(w.lost, func() { arrive(false, 0) })
		return
	}
	delay := l.delay(w)
	w.after(delay, func() { w.db.submit(broke, s, reply) })
	if w.plan.Duplicates && !w.calm && w.perMille(50) {
		// Who learns that it beat twice gives its life up.
		w.faults["request repeated"]++
		w.settled = max(w.settled, w.now+delay+3*time.Second+w.worst.Heartbeat)
		w.after(delay+w.between(0, 3*time.Second), func() { w.db.submit(broke, s, func(bool) {}) })
	}
}

func (l *link) delay(w *world) time.Duration {
	return w.between(50*time.Microsecond, time.Millisecond) + l.slow
}
