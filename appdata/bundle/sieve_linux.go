package bundle

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/coterie-ha/coterie/appdata"
)

// sift walks the folders together, on several workers.
func (p Profile) sift(ctx context.Context, s Sifting, v *Sieve) error {
	w := sifter{Sifting: s, Sieve: v, profile: p}
	w.news.L = &w.queue
	for _, root := range s.Roots {
		dir, err := openFolder(root)
		if err != nil {
			v.leave(".", true) // the scan will say why
			break
		}
		defer dir.close()
		w.roots = append(w.roots, dir)
	}
	if len(w.roots) < len(s.Roots) {
		return nil
	}
	w.push(".")
	stop := context.AfterFunc(ctx, w.end)
	defer stop()
	var workers sync.WaitGroup
	for range max(s.Workers, 1) {
		workers.Go(func() { w.work(ctx) })
	}
	workers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// sifter is one run of a Sieve.
type sifter struct {
	Sifting
	*Sieve
	profile Profile
	roots   []folder

	queue   sync.Mutex
	news    sync.Cond // waiting, left or over changed
	waiting []string  // guarded by queue: folders; the last is taken first
	left    int       // guarded by queue: folders that are not done
	over    bool      // guarded by queue

	loud atomic.Bool // some files are not this user's: reading them is noted in their times
}

func (w *sifter) push(more ...string) {
	w.queue.Lock()
	defer w.queue.Unlock()
	w.waiting = append(w.waiting, more...)
	w.left += len(more)
	w.news.Broadcast()
}

func (w *sifter) pop() (string, bool) {
	w.queue.Lock()
	defer w.queue.Unlock()
	for len(w.waiting) == 0 && w.left > 0 && !w.over {
		w.news.Wait()
	}
	if len(w.waiting) == 0 || w.over {
		return "", false
	}
	name := w.waiting[len(w.waiting)-1]
	w.waiting = w.waiting[:len(w.waiting)-1]
	return name, true
}

func (w *sifter) done() {
	w.queue.Lock()
	defer w.queue.Unlock()
	if w.left--; w.left == 0 {
		w.news.Broadcast()
	}
}

func (w *sifter) end() {
	w.queue.Lock()
	defer w.queue.Unlock()
	w.over = true
	w.news.Broadcast()
}

func (w *sifter) work(ctx context.Context) {
	pair := sides{sifter: w, dirs: make([]folder, len(w.roots)), buffers: make([][]byte, len(w.roots)), listed: make([][]named, len(w.roots)), files: make([]plainFile, 0, len(w.roots))}
	for i := range pair.buffers {
		pair.buffers[i] = make([]byte, 64<<10)
	}
	for {
		name, ok := w.pop()
		if !ok {
			return
		}
		if !pair.folder(ctx, name) {
			w.leave(name, true)
		}
		w.done()
	}
}

// sides are the folders of one name in all trees, at work.
type sides struct {
	*sifter
	dirs    []folder
	buffers [][]byte
	listed  [][]named
	files   []plainFile // room for those of one name
	brief   bool        // what is small in these folders is known by one read
}

// folder compares what is in a folder; false when all of it is left to the scans.
func (s *sides) folder(ctx context.Context, name string) bool {
	open := 0
	defer func() {
		for _, dir := range s.dirs[:open] {
			dir.close()
		}
	}()
	for i, root := range s.roots {
		dir, err := root.below(name)
		if err != nil {
			return false
		}
		s.dirs[i] = dir
		open++
		if s.listed[i], err = dir.names(s.buffers[i]); err != nil {
			return false
		}
		slices.SortFunc(s.listed[i], func(a, b named) int { return strings.Compare(a.name, b.name) })
	}
	s.Progress.Folders.Add(int64(open))
	s.brief = !s.Modes && !slices.ContainsFunc(s.dirs, func(d folder) bool { return !d.paged() })
	if s.Modes && !s.sameModes() {
		s.leave(name, false)
	}
	s.names(ctx, name)
	return true
}

// names compares the names of folders that are open, and what they stand for.
func (s *sides) names(ctx context.Context, dir string) {
	var same, below []string
	differs := false
	at := make([]int, len(s.dirs))
	for ctx.Err() == nil {
		first, everywhere := s.next(at)
		if first == nil {
			break
		}
		full := join(dir, first.name)
		if s.profile.Skips(full) {
			continue
		}
		s.Progress.Entries.Add(int64(len(s.dirs)))
		switch {
		case everywhere && first.kind == appdata.Folder:
			below, same = append(below, full), append(same, first.name)
		case everywhere && s.alike(ctx, *first):
			same = append(same, first.name)
		default:
			s.leave(full, true)
			differs = true
		}
	}
	if differs {
		s.keep(dir, same)
	}
	slices.Reverse(below)
	s.push(below...)
}

// next is the first name that is left in any folder, and whether it is of the same kind in all.
func (s *sides) next(at []int) (first *named, everywhere bool) {
	for i, all := range s.listed {
		if at[i] < len(all) && (first == nil || all[at[i]].name < first.name) {
			first = &all[at[i]]
		}
	}
	if first == nil {
		return nil, false
	}
	everywhere = true
	for i, all := range s.listed {
		if at[i] == len(all) || all[at[i]].name != first.name {
			everywhere = false
			continue
		}
		everywhere = everywhere && all[at[i]].kind == first.kind
		at[i]++
	}
	return first, everywhere
}

func (s *sides) sameModes() bool {
	var mode uint32
	for i, dir := range s.dirs {
		is, err := dir.stat()
		if err != nil || i > 0 && is.mode != mode {
			return false
		}
		mode = is.mode
	}
	return true
}

// alike says that a name stands for the same everywhere.
func (s *sides) alike(ctx context.Context, n named) bool {
	switch n.kind {
	case appdata.File:
		return s.sameFiles(ctx, n.name)
	case appdata.Link:
		return s.sameLinks(n.name)
	}
	return false
}

func (s *sides) sameLinks(name string) bool {
	var target string
	for i, dir := range s.dirs {
		text, err := dir.readlink(name, s.buffers[i])
		if err != nil || i > 0 && string(text) != target {
			return false
		}
		target = string(text)
	}
	return true
}

// sameFiles opens a file everywhere, and reads until there is a difference.
func (s *sides) sameFiles(ctx context.Context, name string) bool {
	files := s.files[:0]
	defer func() {
		for _, f := range files {
			_ = f.close() // it was only read
		}
	}()
	for _, dir := range s.dirs {
		f, err := s.quietly(dir, name)
		if err != nil {
			return false
		}
		files = append(files, f)
	}
	if s.brief {
		if same, known := s.sameBrief(files); known {
			return same
		}
	}
	var first look
	for i, f := range files {
		is, err := f.stat()
		if err != nil || !is.plain || i > 0 && (is.size != first.size || s.Modes && is.mode != first.mode) {
			return false
		}
		first = is
	}
	for left := first.size; left > 0 && ctx.Err() == nil; {
		some := min(left, int64(len(s.buffers[0])))
		for i, f := range files {
			if n, err := io.ReadFull(f, s.buffers[i][:some]); err != nil || i > 0 && !bytes.Equal(s.buffers[i][:n], s.buffers[0][:n]) {
				return false
			}
		}
		s.Progress.Read.Add(some * int64(len(files)))
		left -= some
	}
	return ctx.Err() == nil
}
