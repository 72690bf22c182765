package appdata

import "sync"

// work is a directory to open, or a piece of one to look at.
type work struct {
	n      *node
	lo, hi int // of its names; both 0: open it
}

// queue is the work that is left. What was added last is taken first, so that
// workers go down before they go on, and few directories are open at once.
type queue struct {
	mu      sync.Mutex
	news    sync.Cond // waiting, left or over changed
	waiting []work    // guarded by mu
	left    int       // guarded by mu: work that is not done
	over    bool      // guarded by mu
}

func (q *queue) push(more ...work) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, more...)
	q.left += len(more)
	q.news.Broadcast()
}

func (q *queue) pop() (work, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && q.left > 0 && !q.over {
		q.news.Wait()
	}
	if len(q.waiting) == 0 || q.over {
		return work{}, false
	}
	job := q.waiting[len(q.waiting)-1]
	q.waiting = q.waiting[:len(q.waiting)-1]
	return job, true
}

func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left--; q.left == 0 {
		q.news.Broadcast()
	}
}

func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.over = true
	q.news.Broadcast()
}
