package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// Still is how long a scan of a node's own files may say nothing before its worker
// is left behind.
const Still = 30 * time.Second

// Own has a worker of its own scan files of this node. tell is called for each
// thing that it says; an error there ends the scan.
func (p *Pool) Own(ctx context.Context, o appdata.Own, tell func(appdata.OwnFound) error) error {
	err := p.long(ctx, request{Own: &o}, func(a answer) (done bool, err error) {
		if a.Own == nil {
			return false, errors.New("it cannot be understood")
		}
		return a.Own.Done, tell(*a.Own)
	})
	if err != nil {
		return fmt.Errorf("scan %q: %w", o.Root, err)
	}
	return nil
}

// Text has a worker read a small file of this node.
func (p *Pool) Text(ctx context.Context, t appdata.OwnText) (appdata.OwnTextRead, error) {
	a, err := p.do(ctx, request{Text: &t})
	switch {
	case err != nil:
		return appdata.OwnTextRead{}, fmt.Errorf("read %s: %w", t.Path, err)
	case a.Text == nil:
		return appdata.OwnTextRead{}, fmt.Errorf("read %s: %s", t.Path, a.Error)
	}
	return *a.Text, nil
}

// Take has a worker of its own do one step of taking a file from another node.
func (p *Pool) Take(ctx context.Context, t appdata.Take) (done appdata.Taken, err error) {
	err = p.long(ctx, request{Take: &t}, func(a answer) (bool, error) {
		if a.Taken == nil {
			return false, errors.New("it cannot be understood")
		}
		done = *a.Taken
		return true, nil
	})
	return done, err
}

// long sends a request that is answered again and again to a worker of its own, and
// leaves it behind when it says nothing for too long.
func (p *Pool) long(ctx context.Context, r request, take func(answer) (done bool, err error)) error {
	if stuck := p.Abandoned(); stuck >= p.limit() {
		return &HungError{Within: Still, Abandoned: stuck}
	}
	w, err := start(p.Argv, p.Env, p.Stderr)
	if err != nil {
		return fmt.Errorf("worker: start %q: %w", p.Argv, err)
	}
	defer p.end(w)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(Still, func() { cancel(&HungError{Within: Still}) })
	defer late.Stop()
	var told error
	err = w.follow(ctx, r, func(a answer) bool {
		late.Reset(Still)
		if a.Error != "" {
			told = errors.New(a.Error)
			return false
		}
		var done bool
		done, told = take(a)
		return told == nil && !done
	})
	return cmp.Or(told, err)
}

// WatchOwn has a worker watch files of this node, until ctx ends or the worker does.
func (p *Pool) WatchOwn(ctx context.Context, root string, equal appdata.Equal, tell func(appdata.Dirty) error) error {
	return p.watch(ctx, watch{Root: root, Equal: &equal}, tell)
}

func serveOwn(ctx context.Context, o appdata.Own, id int64, say func(answer) error) error {
	err := o.Do(ctx, func(f appdata.OwnFound) error { return say(answer{ID: id, Own: &f}) })
	if err != nil {
		return say(answer{ID: id, Error: err.Error()})
	}
	return nil
}
