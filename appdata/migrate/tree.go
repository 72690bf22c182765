package migrate

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// folder is one that is at work: the same at both ends.
type folder struct {
	path     string // below the application data, for people and proofs
	from, to string
	names    []entry     // of what is in it and is no folder
	mode     fs.FileMode // permissions of the original, once it has been listed
	listed   bool
	final    bool // it has its name on the share already
	fresh    bool // it was made just now, so that the share has nothing in it
}

// entry is a name in a folder.
type entry struct {
	name  string
	plain bool // listed as a regular file
}

// tree visits pairs of folders with several workers. Network file systems lock a
// folder while something is made in it, so that workers in one folder wait for one
// another: each takes from the next folder, round and round.
type tree struct {
	workers int
	enter   func(ctx context.Context, d *folder, subs []string) error // when it has been listed
	visit   func(ctx context.Context, d *folder, e entry, buf []byte) error

	mu     sync.Mutex
	news   *sync.Cond
	below  []*folder // to be listed, guarded by mu, as all below
	ring   []*folder // with names left
	turn   int
	active int
	lists  int // of them list a folder
	err    error
}

// mayList says whether a folder is to be listed before more is done of what is in others.
// What a folder has below it is made one after another, so that of many who do so most
// would wait.
func (t *tree) mayList() bool {
	return len(t.below) > 0 && (len(t.ring) == 0 || len(t.ring) < 4*t.workers && t.lists < (t.workers+3)/4)
}

func (t *tree) run(ctx context.Context, roots []*folder) error {
	t.news = sync.NewCond(&t.mu)
	for _, r := range slices.Backward(roots) {
		if r.listed {
			t.ring = append(t.ring, r)
		} else {
			t.below = append(t.below, r)
		}
	}
	stop := context.AfterFunc(ctx, func() { t.fail(context.Cause(ctx)) })
	defer stop()
	var workers sync.WaitGroup
	for range t.workers {
		workers.Go(func() { t.work(ctx) })
	}
	workers.Wait()
	return t.err
}

func (t *tree) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
	t.news.Broadcast()
}

func (t *tree) work(ctx context.Context) {
	buf := make([]byte, 2*blockSize)
	for {
		d, e := t.next()
		if d == nil {
			return
		}
		var err error
		if e.name == "" {
			err = t.list(ctx, d)
		} else {
			err = t.visit(ctx, d, e, buf)
		}
		if err != nil {
			t.fail(err)
		}
		t.mu.Lock()
		if e.name == "" {
			t.lists--
		}
		t.active--
		t.news.Broadcast()
		t.mu.Unlock()
	}
}

// next is a folder to be listed, or an entry of one; nil when all is done.
func (t *tree) next() (*folder, entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		switch {
		case t.err != nil:
			return nil, entry{}
		case t.mayList():
			d := t.below[len(t.below)-1]
			t.below = t.below[:len(t.below)-1]
			t.active++
			t.lists++
			return d, entry{}
		case len(t.ring) > 0:
			t.turn = (t.turn + 1) % len(t.ring)
			d := t.ring[t.turn]
			e := d.names[len(d.names)-1]
			d.names = d.names[:len(d.names)-1]
			if len(d.names) == 0 {
				t.ring = slices.Delete(t.ring, t.turn, t.turn+1)
			}
			t.active++
			return d, e
		case t.active == 0:
			return nil, entry{}
		}
		t.news.Wait()
	}
}

func (t *tree) list(ctx context.Context, d *folder) error {
	f, err := os.Open(d.from)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	d.mode = info.Mode().Perm()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return &fs.PathError{Op: "list", Path: d.from, Err: err}
	}
	if err := f.Close(); err != nil {
		return err
	}
	var subs []string
	for _, e := range entries {
		switch {
		case passes(e.Name()), d.path == "." && e.Name() == stateName:
		case e.IsDir():
			subs = append(subs, e.Name())
		default:
			d.names = append(d.names, entry{e.Name(), e.Type().IsRegular()})
		}
	}
	if err := t.enter(ctx, d, subs); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range subs {
		t.below = append(t.below, &folder{path: filepath.Join(d.path, name), from: filepath.Join(d.from, name), to: filepath.Join(d.to, name), final: d.final})
	}
	if len(d.names) > 0 {
		t.ring = append(t.ring, d)
	}
	return nil
}
