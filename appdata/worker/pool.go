package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// ErrHung says that the share did not answer in time.
var ErrHung = errors.New("the share does not answer")

// HungError is ErrHung with its facts.
type HungError struct {
	Within    time.Duration // the deadline that was missed
	Abandoned int           // workers that were killed and are not gone; at Limit nobody was sent
}

func (e *HungError) Error() string {
	return fmt.Sprintf("%v within %v, %d workers sit in it", ErrHung, e.Within, e.Abandoned)
}

// Is makes errors.Is(err, ErrHung) true.
func (e *HungError) Is(target error) bool { return target == ErrHung }

var errClosed = errors.New("worker: the pool is closed")

// Pool sends workers to the share. Its methods never wait for the share, and
// may be called from several goroutines; each gets a worker of its own.
type Pool struct {
	Argv     []string      // how this program becomes a worker, for example {"/proc/self/exe", "appdata-worker"}
	Env      []string      // of the worker; nil: empty
	Stderr   *os.File      // where a worker's last words go; nil: nowhere
	Deadline time.Duration // for one request, starting the worker included; 0: 2 s
	Grace    time.Duration // for a killed worker to be gone; 0: 50 ms
	Limit    int           // workers abandoned at most; 0: 3

	mu     sync.Mutex
	idle   []*process // guarded by mu
	stuck  []*process // guarded by mu: killed, and not gone when last looked at
	closed bool       // guarded by mu
}

// Probe looks at the share through a worker. A share that hangs is a
// condition, not an error; the error says that no worker could be sent, or that ctx ended.
func (p *Pool) Probe(ctx context.Context, share appdata.Share) (appdata.Condition, error) {
	a, err := p.do(ctx, request{Probe: &share})
	switch {
	case errors.Is(err, ErrHung):
		return p.hung(share), nil
	case err != nil:
		return appdata.Condition{}, fmt.Errorf("probe %q: %w", share.Path, err)
	case a.Condition == nil:
		return appdata.Condition{}, fmt.Errorf("probe %q: %s", share.Path, a.Error)
	}
	return *a.Condition, nil
}

// Touch asks through a worker for the least that shows that the share is alive. hung
// is the condition of one that does not answer.
func (p *Pool) Touch(ctx context.Context, share appdata.Share) (place string, hung *appdata.Condition, err error) {
	a, err := p.do(ctx, request{Touch: &appdata.Share{Path: share.Path}})
	switch {
	case errors.Is(err, ErrHung):
		c := p.hung(share)
		return "", &c, nil
	case err != nil:
		return "", nil, fmt.Errorf("touch %q: %w", share.Path, err)
	case a.Place == nil:
		return "", nil, fmt.Errorf("touch %q: %s", share.Path, a.Error)
	}
	return *a.Place, nil, nil
}

// hung is all that can be known of a share without touching it.
func (p *Pool) hung(share appdata.Share) appdata.Condition {
	c := appdata.Condition{State: appdata.Hung, Reason: fmt.Sprintf("does not answer within %v", p.deadline()), FreeInodes: -1}
	var err error
	if c.Mount, err = appdata.MountAt(share.Path); err != nil {
		c.Reason += "; " + err.Error()
	}
	return c
}

// Abandoned is the number of workers that were killed and are not gone.
func (p *Pool) Abandoned() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stuck = slices.DeleteFunc(p.stuck, (*process).isGone)
	return len(p.stuck)
}

// Close ends the workers that wait for requests. Abandoned ones end by
// themselves when the share answers; nobody can wait for that.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, w := range idle {
		p.end(w)
	}
}

func (p *Pool) do(ctx context.Context, r request) (answer, error) {
	tooLate := &HungError{Within: p.deadline()}
	asking, cancel := context.WithTimeoutCause(ctx, tooLate.Within, tooLate)
	defer cancel()
	for {
		w, used, err := p.take()
		if err != nil {
			return answer{}, err
		}
		a, err := w.ask(asking, r)
		if err == nil {
			p.put(w)
			return a, nil
		}
		p.end(w)
		if asking.Err() == nil && used {
			continue // it died while it was idle, which is no news; its successor gets the request
		}
		if errors.Is(err, ErrHung) {
			tooLate.Abandoned = p.Abandoned()
		}
		return answer{}, err
	}
}

// take gives an idle worker (used is true) or starts one.
func (p *Pool) take() (w *process, used bool, err error) {
	if stuck := p.Abandoned(); stuck >= p.limit() {
		return nil, false, &HungError{Within: p.deadline(), Abandoned: stuck}
	}
	p.mu.Lock()
	closed := p.closed
	if n := len(p.idle); n > 0 {
		w, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	switch {
	case closed:
		return nil, false, errClosed
	case w != nil:
		return w, true, nil
	}
	w, err = start(p.Argv, p.Env, p.Stderr)
	if err != nil {
		return nil, false, fmt.Errorf("worker: start %q: %w", p.Argv, err)
	}
	return w, false, nil
}

func (p *Pool) put(w *process) {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.idle = append(p.idle, w)
	}
	p.mu.Unlock()
	if closed {
		p.end(w)
	}
}

// end kills a worker; one that is not gone soon is left standing and counted.
func (p *Pool) end(w *process) {
	if w.end(orElse(p.Grace, 50*time.Millisecond)) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stuck = append(p.stuck, w)
}

func (p *Pool) deadline() time.Duration { return orElse(p.Deadline, 2*time.Second) }
func (p *Pool) limit() int              { return orElse(p.Limit, 3) }

func orElse[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}
