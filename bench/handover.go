package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"
)

// handover is how long a lease has no holder when it is handed over on purpose:
// from the moment at which the holder is asked to give it up, until another acts.
func handover(ctx context.Context, l *lab) ([]row, error) {
	ours, err := l.newPass(ctx)
	if err != nil {
		return nil, err
	}
	defer ours.end()
	var other passer
	if l.etcd != nil {
		e, err := l.newEtcdPass(ctx)
		if err != nil {
			return nil, err
		}
		defer e.end()
		other = e
	}
	river, err := l.rivers(ctx, 2)
	if err != nil {
		return nil, err
	}
	defer river.close()

	var mine, theirs, slow sample
	for range l.rounds() {
		for range 100 {
			if err := once(ctx, ours, &mine); err != nil {
				return nil, err
			}
		}
		for range 25 {
			if other == nil {
				break
			}
			if err := once(ctx, other, &theirs); err != nil {
				return nil, err
			}
		}
		for range 3 {
			if err := once(ctx, river, &slow); err != nil {
				return nil, err
			}
		}
	}
	limit := judge(mine.at(.99) <= 25*time.Millisecond)
	return []row{{
		figure: fmt.Sprintf("hand-over on purpose, %d times; etcd: resign and campaign, %d times", len(mine), len(theirs)),
		ours:   mine.String(), peer: prefixed("etcd ", theirs.String()), ratio: times(over(theirs.at(.5), mine.at(.5))),
		limit: "p99 25 ms", met: limit,
	}, {
		figure: fmt.Sprintf("hand-over on purpose; River: the leader is stopped, until the next one's row, %d times", len(slow)),
		ours:   mine.String(), peer: prefixed("River ", slow.few()), ratio: times(over(slow.at(.5), mine.at(.5))),
		limit: "p99 25 ms", met: limit,
	}}, nil
}

// passer hands something over, once each time.
type passer interface {
	pass(ctx context.Context) (time.Duration, error)
}

func once(ctx context.Context, p passer, into *sample) error {
	took, err := p.pass(ctx)
	if err == nil {
		*into = append(*into, took)
	}
	return err
}

// pass is two nodes that hand one lease to and fro.
type pass struct {
	cluster *cluster
	nodes   []*node
	began   chan begin
	holder  *node
}

func (l *lab) newPass(ctx context.Context) (_ *pass, err error) {
	c, err := l.cluster(ctx, defaults)
	if err != nil {
		return nil, err
	}
	p := &pass{cluster: c, began: make(chan begin, 4)}
	defer func() {
		if err != nil {
			p.end()
		}
	}()
	if err := c.declare(ctx, "lease/", 1, "work"); err != nil {
		return nil, err
	}
	for i := range 2 {
		n, err := c.start(ctx, plan{name: fmt.Sprintf("app-%d", i), takes: []string{"work"}, began: p.began})
		if err != nil {
			return nil, err
		}
		p.nodes = append(p.nodes, n)
	}
	first, err := await(ctx, p.began, 2*defaults.TTL)
	p.holder = first.node
	return p, errors.Join(err, c.settled(ctx, 1))
}

func (p *pass) pass(ctx context.Context) (time.Duration, error) {
	from := p.holder
	began := time.Now()
	from.Change(nil, nil) // it drains
	next, err := await(ctx, p.began, 2*defaults.TTL)
	if err != nil {
		return 0, err
	}
	p.holder = next.node
	from.Change([]string{"work"}, nil)
	// The former holder is ready again before the next time.
	return next.at.Sub(began), rest(ctx, 5*time.Millisecond+rand.N(5*time.Millisecond))
}

func (p *pass) end() {
	if err := p.cluster.close(); err != nil {
		say("close the cluster: %v", err)
	}
}

// etcdSession is a client with a session over a line.
type etcdSession struct {
	*concurrency.Session
	close func() error
}

func (e *etcd) session(ctx context.Context, over *line, ttl int) (*etcdSession, error) {
	c, err := e.client(over)
	if err != nil {
		return nil, err
	}
	s, err := concurrency.NewSession(c, concurrency.WithTTL(ttl), concurrency.WithContext(ctx))
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &etcdSession{s, c.Close}, nil
}

// drop closes the client; its session ends by itself.
func (s *etcdSession) drop() {
	s.Orphan()
	if err := s.close(); err != nil && !errors.Is(err, context.Canceled) {
		say("close a client of etcd: %v", err)
	}
}

type etcdPass struct {
	sessions [2]*etcdSession
	holder   *concurrency.Election
	at       int // whose it is
}

const passPrefix = "/handover"

func (l *lab) newEtcdPass(ctx context.Context) (*etcdPass, error) {
	p := new(etcdPass)
	for i := range p.sessions {
		var err error
		if p.sessions[i], err = l.etcd.session(ctx, nil, electionTTL); err != nil {
			return nil, err
		}
	}
	p.holder = concurrency.NewElection(p.sessions[0].Session, passPrefix)
	return p, p.holder.Campaign(ctx, "0")
}

func (p *etcdPass) pass(ctx context.Context) (time.Duration, error) {
	next := concurrency.NewElection(p.sessions[1-p.at].Session, passPrefix)
	won := make(chan error, 1)
	var at time.Time
	go func() {
		err := next.Campaign(ctx, "next")
		at = time.Now()
		won <- err
	}()
	// It waits in line by then. A watch of etcd's that began a moment ago is told late, at the next turn of a
	// loop of 100 ms, which is not what an election that lasts a while meets.
	if err := rest(ctx, 150*time.Millisecond); err != nil {
		return 0, errors.Join(err, <-won)
	}
	began := time.Now()
	if err := p.holder.Resign(ctx); err != nil {
		return 0, errors.Join(err, <-won)
	}
	if err := <-won; err != nil {
		return 0, err
	}
	p.holder, p.at = next, 1-p.at
	return at.Sub(began), nil
}

func (p *etcdPass) end() {
	for _, s := range p.sessions {
		s.drop()
	}
}

// pass stops the leader in an orderly way and waits for the next. (Asked to
// resign, River's leader is mostly elected again itself.)
func (r *rivers) pass(ctx context.Context) (time.Duration, error) {
	before, err := r.after(ctx, leading{}, 20*time.Second)
	if err != nil {
		return 0, err
	}
	if err := rest(ctx, time.Second); err != nil {
		return 0, err
	}
	leader := r.clients[before.id]
	stopped := make(chan error, 1)
	began := time.Now()
	go func() { stopped <- leader.Stop(ctx) }()
	_, err = r.after(ctx, before, 30*time.Second)
	took := time.Since(began)
	return took, errors.Join(err, <-stopped, leader.Start(ctx))
}
