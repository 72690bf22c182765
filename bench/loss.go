package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/coterie-ha/coterie/leases"
)

// loss is how long a lease has no holder when its holder's host is lost: the
// line of one of two nodes is silenced, and it says nothing more. All tries wait
// at the same time, each with nodes of its own.
func loss(ctx context.Context, l *lab) ([]row, error) {
	var tries tries
	usual := tries.begin(ctx, l.few(4), func(ctx context.Context) (time.Duration, error) { return l.loseNode(ctx, defaults) })
	quick := tries.begin(ctx, l.few(8), func(ctx context.Context) (time.Duration, error) { return l.loseNode(ctx, fast) })
	inEtcd, inRiver := new(sample), tries.begin(ctx, l.few(2), l.loseRiver)
	if l.etcd != nil {
		inEtcd = tries.begin(ctx, l.few(4), l.loseEtcd)
	}
	err := tries.end()
	longest := func(t leases.Terms) time.Duration { return t.TTL + t.Heartbeat + 100*time.Millisecond }
	return []row{{
		figure: "host lost, until another holds; default terms (time to live 6 s), River's defaults",
		ours:   usual.few(), peer: prefixed("River ", inRiver.few()), ratio: times(over(inRiver.at(.5), usual.at(.5))),
		limit: "most " + short(longest(defaults)), met: judge(usual.at(1) <= longest(defaults)),
	}, {
		figure: "host lost; time to live 1.5 s, heartbeat 0.3 s; etcd's election with time to live 5 s",
		ours:   quick.few(), peer: prefixed("etcd ", inEtcd.few()), ratio: times(over(inEtcd.at(.5), quick.at(.5))),
		limit: "most 2.00 s", met: judge(quick.at(1) <= 2*time.Second),
	}}, err
}

func prefixed(name, text string) string {
	if text == "" {
		return ""
	}
	return name + text
}

// tries are waited for together.
type tries struct {
	wait sync.WaitGroup
	mu   sync.Mutex // guards errs and the samples
	errs []error
}

// begin tries n times at once. The sample is complete after end.
func (t *tries) begin(ctx context.Context, n int, once func(context.Context) (time.Duration, error)) *sample {
	s := new(sample)
	for range n {
		t.wait.Go(func() {
			took, err := once(ctx)
			t.mu.Lock()
			defer t.mu.Unlock()
			if err != nil {
				t.errs = append(t.errs, err)
				return
			}
			*s = append(*s, took)
		})
	}
	return s
}

func (t *tries) end() error {
	t.wait.Wait()
	return errors.Join(t.errs...)
}

// loseNode fails when another began while the lost one still trusted itself.
func (l *lab) loseNode(ctx context.Context, terms leases.Terms) (took time.Duration, err error) {
	c, err := l.cluster(ctx, terms)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	began := make(chan begin, 4)
	if err := c.declare(ctx, "lease/", 1, "work"); err != nil {
		return 0, err
	}
	for i := range 2 {
		if _, err := c.start(ctx, plan{name: fmt.Sprintf("app-%d", i), takes: []string{"work"}, began: began}); err != nil {
			return 0, err
		}
	}
	first, err := await(ctx, began, 2*terms.TTL)
	if err != nil {
		return 0, err
	}
	// Some while later, at any point between two heartbeats.
	if err := rest(ctx, 2*terms.Heartbeat+rand.N(terms.Heartbeat)); err != nil {
		return 0, err
	}
	lost := time.Now()
	first.node.line.silence()
	next, err := await(ctx, began, 4*terms.TTL)
	if err != nil {
		return 0, err
	}
	if trusted := first.node.View().Trusted; next.at.Before(trusted) {
		return 0, fmt.Errorf("TWO HOLDERS: another began %v before the trust of the lost one ended", trusted.Sub(next.at))
	}
	return next.at.Sub(lost), nil
}

const electionTTL = 5 // seconds, a whole number for etcd

func (l *lab) loseEtcd(ctx context.Context) (time.Duration, error) {
	prefix := fmt.Sprintf("/loss/%d", rand.Int64())
	lost := new(line)
	holder, err := l.etcd.session(ctx, lost, electionTTL)
	if err != nil {
		return 0, err
	}
	defer holder.drop()
	other, err := l.etcd.session(ctx, new(line), electionTTL)
	if err != nil {
		return 0, err
	}
	defer other.drop()
	if err := concurrency.NewElection(holder.Session, prefix).Campaign(ctx, "holder"); err != nil {
		return 0, err
	}
	won := make(chan error, 1)
	go func() { won <- concurrency.NewElection(other.Session, prefix).Campaign(ctx, "other") }()
	if err := rest(ctx, 2*time.Second+rand.N(2*time.Second)); err != nil {
		return 0, err
	}
	began := time.Now()
	lost.silence()
	select {
	case err := <-won:
		return time.Since(began), err
	case <-time.After(30 * time.Second):
		return 0, errors.New("etcd elects nobody")
	}
}

func (l *lab) loseRiver(ctx context.Context) (took time.Duration, err error) {
	r, err := l.rivers(ctx, 2)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	first, err := r.after(ctx, leading{}, 20*time.Second)
	if err != nil {
		return 0, err
	}
	if err := rest(ctx, time.Second+rand.N(5*time.Second)); err != nil {
		return 0, err
	}
	began := time.Now()
	r.clients[first.id].line.silence()
	_, err = r.after(ctx, first, time.Minute)
	return time.Since(began), err
}
