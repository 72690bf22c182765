package sqltest

import (
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/sql/schema"
)

// Pool is a pool whose line to the database can be broken.
type Pool struct {
	*sqlx.DB
	line    *line
	options schema.Options
	now     func() time.Time // what the database shall take for the time, nil for its own clock

	mu              sync.Mutex // guards the fields below
	request, answer time.Duration
	losing          bool
	lose            string
}

// Options are for whatever opens a connection of its own, such as a listener,
// that shall break together with this pool's. It does not keep a bubble's time.
func (p *Pool) Options() schema.Options { return p.options }

// Cut resets the pool's connections and refuses new ones until Mend.
func (p *Pool) Cut() { p.line.set(cut) }

// Stall lets packets vanish in both directions until Mend. A call waits until
// its deadline, and the server knows nothing of it: what a broken connection
// held there, it goes on to hold.
func (p *Pool) Stall() { p.line.set(stalled) }

// Mend ends Cut and Stall.
func (p *Pool) Mend() { p.line.set(whole) }

// Slow makes each statement arrive, and its answer come back, so much later.
func (p *Pool) Slow(request, answer time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.request, p.answer = request, answer
}

// LoseAnswer lets the next statement that contains the text be executed and
// committed, and then breaks its connection, so that its outcome is unknown to
// whoever sent it. The error is driver.ErrBadConn, as lib/pq gives it when a
// server goes away in an orderly manner: the one on which database/sql sends a
// statement once more.
func (p *Pool) LoseAnswer(containing string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losing, p.lose = true, containing
}

// loses tells, once, that the answer to this statement is to be lost.
func (p *Pool) loses(query string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.losing || !strings.Contains(query, p.lose) {
		return false
	}
	p.losing = false
	return true
}

func (p *Pool) delays() (request, answer time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.request, p.answer
}
