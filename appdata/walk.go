package appdata

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// chunk is how many names of a directory are one piece of work. Large
// directories are shared out among the workers, small ones are not.
const chunk = 256

// node is a directory at work.
type node struct {
	parent *node
	at     int // which of the parent's entries it is
	handle handle
	uses   atomic.Int32 // reasons to keep the handle open
	waits  atomic.Int32 // pieces, then folders below, that are not done
	dir    *Dir
	known  *Dir
	glance *glance // nil: each entry is looked at for itself
	names  []string
	again  bool        // its names were looked at before
	differ atomic.Bool // something is not as known
	below  atomic.Bool // a folder in it is not as known
}

// walk is one run of a Scanner.
type walk struct {
	Scanner
	progress *Progress
	begun    time.Time
	ops      pace
	bytes    pace
	queue    queue

	mu   sync.Mutex
	live map[*node]bool // guarded by mu: directories that were opened and not given

	giving sync.Mutex
	found  follower // guarded by giving
	whole  bool     // guarded by giving: the root was given
}

// follower is told of each directory, and whether it is as it was known.
type follower func(d *Dir, changed bool) error

func newWalk(s Scanner, found follower) *walk {
	w := &walk{Scanner: s, progress: s.Progress, begun: time.Now(), found: found, live: map[*node]bool{}}
	w.queue.news.L = &w.queue.mu
	w.ops.perSecond, w.bytes.perSecond = int64(s.OpsPerSecond), s.BytesPerSec
	if w.progress == nil {
		w.progress = new(Progress)
	}
	if w.Workers <= 0 {
		w.Workers = 8
	}
	return w
}

func (w *walk) run(ctx context.Context) error {
	root, err := openRoot(w.Root)
	if err != nil {
		return err
	}
	inside, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	stop := context.AfterFunc(inside, w.queue.end)
	defer stop()
	n := &node{dir: &Dir{Path: "."}, handle: root}
	n.uses.Store(1)
	w.live[n] = true
	w.queue.push(work{n: n})
	var workers sync.WaitGroup
	for range w.Workers {
		workers.Go(func() { w.work(inside, fail) })
	}
	workers.Wait()
	for n := range w.live {
		if n.uses.Load() > 0 {
			n.handle.close()
		}
	}
	switch {
	case w.whole:
		return nil // perhaps just before ctx ended
	case ctx.Err() != nil:
		return errors.Join(context.Cause(ctx), w.giveUnfinished())
	case inside.Err() != nil:
		return context.Cause(inside)
	}
	return nil
}

func (w *walk) work(ctx context.Context, fail context.CancelCauseFunc) {
	r := reader{walk: w}
	for {
		job, ok := w.queue.pop()
		if !ok {
			return
		}
		var err error
		switch {
		case job.hi == 0:
			err = w.open(ctx, job.n, &r)
		case job.n.glance != nil:
			err = w.glimpse(ctx, job, &r)
		default:
			err = w.piece(ctx, job, &r)
		}
		if err != nil {
			fail(err)
		}
		w.queue.done()
	}
}

// open lists a directory and begins to look at what is in it. The error is
// never of the directory, which has its own.
func (w *walk) open(ctx context.Context, n *node, r *reader) error {
	if n.parent != nil {
		e := &n.parent.dir.Entries[n.at]
		h, err := n.parent.handle.sub(e.Name)
		w.release(n.parent)
		if err != nil {
			w.lose(n.parent, e, err)
			return w.childDone(ctx, n.parent, r)
		}
		n.handle = h
		n.uses.Store(1)
	}
	w.mu.Lock()
	w.live[n] = true
	w.mu.Unlock()
	w.progress.Folders.Add(1)
	names, err := n.handle.names(r.list())
	if err != nil {
		n.dir.Err = errText(err)
		w.progress.Errors.Add(1)
	}
	slices.Sort(names)
	if w.Skip != nil {
		names = slices.DeleteFunc(names, func(name string) bool { return w.Skip(join(n.dir.Path, name)) })
	}
	n.names = names
	if w.Glance != nil && !w.Reread && n.dir.Err == "" {
		n.glance = w.Glance(n.dir.Path).over(len(names))
	}
	if n.glance == nil {
		w.recall(n)
	} else {
		n.uses.Add(1) // until all below is known: it may have to be looked at again
	}
	return w.share(ctx, n, r)
}

// recall asks what is known of a directory, each entry of which is looked at for itself.
func (w *walk) recall(n *node) {
	n.glance = nil
	n.dir.Entries = make([]Entry, len(n.names))
	if w.Known != nil {
		n.known = w.Known(n.dir.Path)
	}
	if n.known == nil || n.known.unfinished || n.known.told || n.known.Err != n.dir.Err {
		n.differ.Store(true)
	}
}

// share gives the names of a directory to the workers.
func (w *walk) share(ctx context.Context, n *node, r *reader) error {
	if len(n.names) <= chunk {
		n.waits.Store(1)
		if n.glance != nil {
			return w.glimpse(ctx, work{n: n, hi: len(n.names)}, r)
		}
		return w.piece(ctx, work{n: n, hi: len(n.names)}, r)
	}
	var pieces []work
	for lo := 0; lo < len(n.names); lo += chunk {
		pieces = append(pieces, work{n: n, lo: lo, hi: min(lo+chunk, len(n.names))})
	}
	n.waits.Store(int32(len(pieces)))
	w.queue.push(pieces...)
	return nil
}

// piece looks at some names of a directory.
func (w *walk) piece(ctx context.Context, job work, r *reader) error {
	n := job.n
	for i := job.lo; i < job.hi; i++ {
		if err := w.step(ctx, n); err != nil {
			return err
		}
		if err := w.look(ctx, n, i, r); err != nil {
			return err
		}
	}
	if n.waits.Add(-1) > 0 {
		return nil
	}
	return w.listed(ctx, n, r)
}

// step waits until a name of a directory may be looked at, and counts it.
func (w *walk) step(ctx context.Context, n *node) error {
	if n.again {
		w.progress.Again.Add(1)
	} else {
		w.progress.Entries.Add(1)
	}
	return w.ops.wait(ctx, 1)
}

// look fills one entry; it stays without a kind when there is nothing.
func (w *walk) look(ctx context.Context, n *node, i int, r *reader) error {
	name := n.names[i]
	e, err := n.handle.stat(name, w.TrustCache)
	e.Name = name
	if err == nil && e.Kind != Folder && w.Leads != nil && w.Leads(join(n.dir.Path, name)) {
		return nil
	}
	if err != nil {
		e.Kind = Unknown
		w.lose(n, &e, err)
		n.dir.Entries[i] = e
		return nil
	}
	var known *Entry
	if n.known != nil {
		known = n.known.Entry(name)
	}
	same := known != nil && known.Err == "" && e.sameStat(known, !w.LooseInodes)
	switch {
	case e.Kind == Folder:
		if !same {
			n.differ.Store(true)
		}
	case same && !known.Racy && !w.Reread && (e.Kind != File || known.Digest != Digest{} || !w.reads(&e)):
		e = *known
	default:
		n.differ.Store(true)
		if err := w.read(ctx, n, &e, r); err != nil {
			return err
		}
	}
	n.dir.Entries[i] = e
	return nil
}

// reads says whether the content of a file is wanted.
func (w *walk) reads(e *Entry) bool {
	return !w.NoContent && (w.MaxContent <= 0 || e.Size <= w.MaxContent)
}

func (w *walk) read(ctx context.Context, n *node, e *Entry, r *reader) error {
	var err error
	switch {
	case e.Kind == Link:
		e.Target, err = n.handle.readlink(e.Name)
	case e.Kind == File && w.merged(n, e):
		err = r.normal(n.handle, e, join(n.dir.Path, e.Name))
	case e.Kind == File && w.reads(e):
		if err = r.digest(ctx, n.handle, e); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if err != nil {
		w.lose(n, e, err)
	}
	return nil
}

// lose notes why an entry is not known, or forgets it because it is gone.
func (w *walk) lose(n *node, e *Entry, err error) {
	n.differ.Store(true)
	if errors.Is(err, fs.ErrNotExist) {
		e.Kind = 0
		return
	}
	e.Err = errText(err)
	w.progress.Errors.Add(1)
}

// listed goes down from a directory whose names have all been looked at.
func (w *walk) listed(ctx context.Context, n *node, r *reader) error {
	if n.glance == nil {
		n.names = nil
	}
	var below []work
	for i := range n.dir.Entries {
		if e := &n.dir.Entries[i]; e.Kind == Folder {
			below = append(below, work{n: &node{parent: n, at: i, dir: &Dir{Path: join(n.dir.Path, e.Name)}}})
		}
	}
	n.uses.Add(int32(len(below)))
	n.waits.Store(int32(len(below)))
	slices.Reverse(below) // the last is taken first
	w.queue.push(below...)
	w.release(n)
	if len(below) == 0 {
		return w.complete(ctx, n, r)
	}
	return nil
}

// release closes a directory that nobody needs open any more.
func (w *walk) release(n *node) {
	if n.uses.Add(-1) == 0 {
		n.handle.close()
	}
}

// errText says what went wrong without saying where, which the entry does.
func errText(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no.Error()
	}
	return err.Error()
}
