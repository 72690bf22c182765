package main

import (
	"context"
	"errors"
	"time"

	"github.com/coterie-ha/coterie/coordinator/supervisor"
	"github.com/coterie-ha/coterie/leases"
)

// live begins one session after another until ctx ends. The first may replace
// the former life of this installation, if its process is surely gone; a later
// one follows a session that the database ended.
func (a *agent) live(ctx context.Context) error {
	former := a.identity.Former(a.cfg.Node.Name)
	keep := &keeper{Runner: a.runner, agent: a}
	defer keep.forgetting.Wait()
	defer a.runner.Close() // what outlasts its session ends with the agent
	for {
		s := &leases.Session{
			DB: a.beats, Node: a.cfg.Node.Name, Takes: a.takes(), Wants: a.wants(), Former: former,
			Hold: a.hold, Keep: keep, Began: a.began, Ticked: a.ticked,
		}
		a.session.Store(s)
		s.Mark = a.mark() // what a probe learns from here on it tells this session
		poke(a.facts)
		err := s.Run(ctx)
		a.know(func(k *memory) { k.mark = max(k.mark, s.View().Mark) })
		switch {
		case ctx.Err() != nil:
			return errors.Join(context.Cause(ctx), a.farewell(ctx, err))
		case errors.Is(err, leases.ErrTaken):
			return errors.Join(err, a.giveUpName(ctx))
		case errors.Is(err, leases.ErrLost):
			a.supervisor.Extend(0, 0) // whatever still runs has no authority
			a.log.Warn("the session was ended; beginning another", "incarnation", s.View().Incarnation)
			former = 0
		default:
			a.log.Warn("no session yet", "err", err)
			a.know(func(k *memory) { k.failure = err.Error() })
		}
		if err := pause(ctx, time.Second/2); err != nil {
			return err
		}
	}
}

// giveUpName leaves a row that says why this installation is not at work. The life
// that this process began last may be another's by now, who was copied from it with
// the memory of its machine: neither a last will nor a successor may end it.
func (a *agent) giveUpName(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
	defer cancel()
	return errors.Join(a.identity.Forget(), a.supervisor.Farewell(ctx), a.node.Taken(ctx))
}

// farewell tells the supervisor that there is no last will to be said, if the
// session was ended in order.
func (a *agent) farewell(ctx context.Context, err error) error {
	if !errors.Is(err, context.Cause(ctx)) {
		return nil // it may live on: the will is needed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return a.supervisor.Farewell(ctx)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// began is called when a session is there, before anything is held: from now on
// the supervisor knows what to say if this process dies.
func (a *agent) began(incarnation int64, _ time.Time) {
	if err := a.identity.Remember(a.cfg.Node.Name, incarnation); err != nil {
		a.log.Warn("a restart will wait for the end of this session", "err", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := a.supervisor.Session(ctx, supervisor.Session{
		Node: a.cfg.Node.Name, Incarnation: incarnation, Will: a.will(incarnation),
	})
	if err != nil {
		a.log.Warn("without a last will", "err", err)
	}
	a.log.Info("session began", "incarnation", incarnation)
	a.seatsBegan(incarnation)
	a.know(func(k *memory) { k.admitted = true })
	poke(a.looks)
	poke(a.keyed)
	poke(a.told) // of whom to look for on the share, so that others hear soon what this life writes there
	poke(a.rolled)
	poke(a.sighted)
	poke(a.vouched)
	poke(a.drifted)
	poke(a.asked)
	poke(a.facts)
	if len(a.duties()) > 0 {
		poke(a.lent)
	}
}

// ticked is called after each heartbeat: the supervisor's deadline moves with trust.
func (a *agent) ticked(t leases.Tick) {
	a.metrics.Ticked(t.Took, t.Err)
	a.silence.heard(a.log, t, time.Now())
	if t.Err == nil && t.Alive {
		a.supervisor.Extend(supervisor.BootTime()+t.Trust, t.Margin/2)
	}
	if t.Stepped != 0 {
		a.log.Warn("the database's clock stepped", "by", t.Stepped)
		a.know(func(k *memory) { k.stepped += t.Stepped })
		poke(a.moved)
	}
	moved, told := false, false
	a.know(func(k *memory) {
		k.failure = ""
		switch {
		case t.Err != nil:
			k.failure = t.Err.Error()
		case t.Alive:
			told = t.Head != k.head
			moved = told || t.Activity != k.runs
			k.head, k.runs = t.Head, t.Activity
		}
	})
	if moved {
		poke(a.moved)
		poke(a.noticed)
	}
	if told {
		poke(a.told)
		poke(a.keyed)
		poke(a.rolled)
		poke(a.sighted)
		poke(a.vouched)
		poke(a.drifted)
		poke(a.asked)
		if !a.young() {
			poke(a.licensed)
		}
	}
	poke(a.facts)
}

// hold acts for a lease that a local process borrows, or a duty of this node's own.
func (a *agent) hold(ctx context.Context, g leases.Grant) {
	if a.onDuty(ctx, g) {
		return
	}
	a.metrics.Acquired("loan")
	a.desk.Hold(ctx, g)
	reason := "returned"
	if cause := context.Cause(ctx); cause != nil {
		reason = why(cause)
	}
	a.metrics.Lost("loan", reason)
}

// lend makes the session want what local processes have asked for.
func (a *agent) lend(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.lent:
		}
		if err := leases.Declare(ctx, a.work, a.borrowed()); err != nil && ctx.Err() == nil {
			a.log.Debug("leases not declared", "err", err)
			poke(a.lent)
			if err := pause(ctx, time.Second/2); err != nil {
				return err
			}
			continue
		}
		if s := a.session.Load(); s.View().Incarnation != 0 {
			s.Change(a.takes(), a.wants())
		}
	}
}

// wants lists the leases that are taken by name, while this node takes any.
func (a *agent) wants() []string {
	if k := a.knows(); !k.state.Takes() {
		return nil
	}
	return a.borrowed()
}
