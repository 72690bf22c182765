package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/coterie-ha/coterie/appdata"
)

// watch is a request that is answered again and again.
type watch struct {
	Root string `json:"root"`
	Of

	Equal *appdata.Equal `json:"equal,omitempty"` // instead of a layout
}

// Of is what to watch of a share.
type Of struct {
	Layout   string   `json:"layout,omitempty"`
	Events   bool     `json:"events,omitempty"`   // what this host's kernel tells
	Critical []string `json:"critical,omitempty"` // paths that are looked at again and again
	Listen   bool     `json:"listen,omitempty"`   // what an SMB server tells
}

// Watch has a worker of its own watch the share, until ctx ends or the worker
// does. A watch that hangs while it begins is never Ready.
func (p *Pool) Watch(ctx context.Context, share appdata.Share, of Of, tell func(appdata.Dirty) error) error {
	return p.watch(ctx, watch{Root: share.Path, Of: of}, tell)
}

func (p *Pool) watch(ctx context.Context, what watch, tell func(appdata.Dirty) error) error {
	w, err := start(p.Argv, p.Env, p.Stderr)
	if err != nil {
		return fmt.Errorf("worker: start %q: %w", p.Argv, err)
	}
	defer p.end(w)
	var told error
	err = w.follow(ctx, request{Watch: &what}, func(a answer) bool {
		switch {
		case a.Error != "":
			told = errors.New(a.Error)
		case a.Dirty != nil:
			told = tell(*a.Dirty)
		}
		return told == nil
	})
	if told != nil {
		return fmt.Errorf("watch %q: %w", what.Root, told)
	}
	return fmt.Errorf("watch %q: %w", what.Root, err)
}

// Look has a worker look at some folders.
func (p *Pool) Look(ctx context.Context, l appdata.Look) (appdata.Looked, error) {
	a, err := p.do(ctx, request{Look: &l})
	switch {
	case err != nil:
		return appdata.Looked{}, fmt.Errorf("look at %q: %w", l.Share.Path, err)
	case a.Looked == nil:
		return appdata.Looked{}, fmt.Errorf("look at %q: %s", l.Share.Path, a.Error)
	}
	return *a.Looked, nil
}

// Expect asks a worker how many files are not as they should be.
func (p *Pool) Expect(ctx context.Context, e appdata.Expect) (missing int, err error) {
	a, err := p.do(ctx, request{Expect: &e})
	switch {
	case err != nil:
		return 0, fmt.Errorf("look into %q: %w", e.Share.Path, err)
	case a.Missing == nil:
		return 0, fmt.Errorf("look into %q: %s", e.Share.Path, a.Error)
	}
	return *a.Missing, nil
}

// Publish has a worker do one step of putting a file into the share. A step that
// hangs may still be done when the share answers again.
func (p *Pool) Publish(ctx context.Context, s appdata.Publish) (appdata.Published, error) {
	a, err := p.do(ctx, request{Publish: &s})
	switch {
	case err != nil:
		return appdata.Published{}, fmt.Errorf("publish %s: %w", s.Path, err)
	case a.Published == nil:
		return appdata.Published{}, errors.New(a.Error)
	}
	return *a.Published, nil
}

func (w *watch) skips() (func(path string) bool, error) {
	if w.Equal != nil {
		return w.Equal.Skips, w.Equal.Check()
	}
	layout, err := appdata.LayoutOf(w.Layout)
	return layout.Skips, err
}

// serve answers a watch until nobody hears.
func (w *watch) serve(ctx context.Context, id int64, say func(answer) error) error {
	skips, err := w.skips()
	if err == nil {
		err = w.run(ctx, skips, func(d appdata.Dirty) error { return say(answer{ID: id, Dirty: &d}) })
	}
	if ctx.Err() != nil {
		return err
	}
	return say(answer{ID: id, Error: err.Error()})
}

// run listens and looks until ctx ends, or one of the two cannot go on.
func (w *watch) run(ctx context.Context, skips func(path string) bool, tell func(appdata.Dirty) error) error {
	var saying sync.Mutex
	one := func(d appdata.Dirty) error {
		saying.Lock()
		defer saying.Unlock()
		return tell(d)
	}
	var loops []func(context.Context) error
	if w.Events || w.Equal != nil {
		loops = append(loops, func(ctx context.Context) error { return appdata.Watcher{Root: w.Root, Skip: skips}.Run(ctx, one) })
	} else if len(w.Critical) > 0 {
		if err := one(appdata.Dirty{Ready: true}); err != nil {
			return err
		}
	}
	if len(w.Critical) > 0 {
		loops = append(loops, func(ctx context.Context) error {
			return appdata.Lookout{Root: w.Root, Paths: w.Critical, Skip: skips}.Run(ctx, one)
		})
	}
	if w.Listen {
		loops = append(loops, func(ctx context.Context) error { return appdata.Listener{Root: w.Root, Skip: skips}.Keep(ctx, one) })
	}
	inside, end := context.WithCancelCause(ctx)
	defer end(nil)
	var running sync.WaitGroup
	for _, loop := range loops {
		running.Go(func() { end(loop(inside)) })
	}
	running.Wait()
	return context.Cause(inside)
}

// follow sends one request and takes its answers until ctx ends, the worker does,
// or nobody wants more.
func (p *process) follow(ctx context.Context, r request, more func(answer) bool) error {
	r.ID = 1
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	stop := p.interruptible(ctx)
	defer stop()
	if _, err := p.in.Write(append(text, '\n')); err != nil {
		return p.because(ctx, err)
	}
	for {
		line, err := p.readLine()
		if err != nil {
			return p.because(ctx, err)
		}
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			return fmt.Errorf("worker: %w in %.80q", err, line)
		}
		if !more(a) {
			return nil
		}
	}
}
