package jobs

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// pieceSize is how much of an output one statement carries.
	pieceSize = 32 << 10
	// headSize is how much of the beginning of an output is kept in any case.
	headSize = 64 << 10
	// waitingMost bounds what waits to be sent, beside the beginning.
	waitingMost = 256 << 10
	// keptMost bounds what the database keeps of one attempt; its middle gives way.
	keptMost = 1 << 20
	// piecesMost bounds the number of rows that this takes.
	piecesMost = 2000
	// sendEvery is how far behind whoever watches a run is.
	sendEvery = time.Second
)

// spool sends what an action says to the database while it runs. It never makes
// the action wait: what comes faster than it can be sent is left out in the
// middle. A short run that says little costs no statement: its tail has it all.
type spool struct {
	send func(ctx context.Context, p piece) (open bool, err error)

	mu      sync.Mutex // guards the fields below
	total   int64      // bytes written so far
	waiting []byte     // the last of them, not sent yet
	head    []byte     // the beginning, not sent yet
	more    chan struct{}

	// What follows belongs to whoever sends.
	kept   []piece // without their texts: what the database has, beyond the beginning
	size   int64   // of those, with what lies between them
	sent   bool    // something was sent
	closed bool    // the run is not open any more
}

// piece is a part of an output.
type piece struct {
	start, size      int64
	text             string
	drops            int   // how many older pieces give way to it
	dropFrom, dropTo int64 // where those are
}

func newSpool(send func(context.Context, piece) (bool, error)) *spool {
	return &spool{send: send, more: make(chan struct{}, 1)}
}

func (s *spool) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(p)
	if room := headSize - s.total; room > 0 {
		take := min(int64(n), room)
		s.head = append(s.head, p[:take]...)
		s.total += take
		p = p[take:]
	}
	s.total += int64(len(p))
	if len(p) > waitingMost {
		p, s.waiting = p[len(p)-waitingMost:], s.waiting[:0]
	}
	if over := len(s.waiting) + len(p) - waitingMost; over > 0 {
		s.waiting = append(s.waiting[:0], s.waiting[over:]...)
	}
	s.waiting = append(s.waiting, p...)
	select {
	case s.more <- struct{}{}:
	default: // told already
	}
	return n, nil
}

// run sends now and then until ctx ends. What cannot be sent is tried again, and
// gives way to what comes.
func (s *spool) run(ctx context.Context) {
	for {
		if pause(ctx, sendEvery) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-s.more:
		}
		if s.flush(ctx, false) != nil {
			select {
			case s.more <- struct{}{}: // again, after a pause
			default:
			}
		}
	}
}

// finish sends the rest, if the tail that is kept with the run does not have all.
func (s *spool) finish(ctx context.Context) error {
	s.mu.Lock()
	said := s.total
	s.mu.Unlock()
	if !s.sent && said <= tailSize {
		return nil
	}
	return s.flush(ctx, true)
}

// flush sends what waits. What may be half a character stays, unless it is the end.
func (s *spool) flush(ctx context.Context, end bool) error {
	for !s.closed {
		p, ok := s.next(end)
		if !ok {
			return nil
		}
		s.chooseRoom(&p)
		open, err := s.send(ctx, p)
		if err != nil {
			return err
		}
		s.sent, s.closed = true, !open
		s.done(p)
	}
	return nil
}

// next is the piece to send next. It stays where it is until it has been sent.
func (s *spool) next(end bool) (piece, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, start := s.waiting, s.total-int64(len(s.waiting))
	if len(s.head) > 0 {
		from, start = s.head, min(s.total, headSize)-int64(len(s.head))
		end = end || s.total > headSize
	}
	take := whole(from, end)
	if take == 0 {
		return piece{}, false
	}
	return piece{start: start, size: int64(take), text: printable(from[:take])}, true
}

// whole is how much of a text can be sent as a piece: up to the end of a line if
// there is one, and never half a character of what is still being written.
func whole(text []byte, end bool) int {
	if len(text) > pieceSize {
		if line := bytes.LastIndexByte(text[:pieceSize], '\n'); line > 0 {
			return line + 1
		}
		text, end = text[:pieceSize], false
	}
	if end {
		return len(text)
	}
	for back := 1; back <= min(utf8.UTFMax, len(text)); back++ {
		last := text[len(text)-back:]
		if utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return len(text) - back
			}
			break
		}
	}
	return len(text)
}

// done takes a piece that was sent out of what waits. What was left out meanwhile
// may have taken a part of it along.
func (s *spool) done(p piece) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.start < headSize && len(s.head) > 0 {
		s.head = s.head[min(p.size, int64(len(s.head))):]
		return
	}
	first := s.total - int64(len(s.waiting))
	if over := p.start + p.size - first; over > 0 {
		s.waiting = append(s.waiting[:0], s.waiting[min(over, int64(len(s.waiting))):]...)
	}
	s.kept = append(slices.Delete(s.kept, 0, p.drops), piece{start: p.start, size: p.size})
	s.size += p.size - (p.dropTo - p.dropFrom)
}

// chooseRoom chooses the pieces that give way to a new one: the oldest behind the
// beginning.
func (s *spool) chooseRoom(p *piece) {
	size := s.size
	for p.drops < len(s.kept) && (size+p.size > keptMost-headSize || len(s.kept)-p.drops >= piecesMost) {
		size -= s.kept[p.drops].size
		p.drops++
	}
	if p.drops > 0 {
		last := s.kept[p.drops-1]
		p.dropFrom, p.dropTo = s.kept[0].start, last.start+last.size
	}
}

const outputSQL = `SELECT coterie.run_output($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

func (r *Runner) callOutput(ctx context.Context, o opened, attempt int, p piece) (open bool, err error) {
	open, err = ask[bool](ctx, r.DB, outputSQL, o.job, o.due, int64(o.token), o.nonce, attempt,
		p.start, p.size, p.text, p.dropFrom, p.dropTo)
	if unstorable(err) {
		// A database in another encoding than UTF-8 cannot hold every text.
		p.text = fmt.Sprintf("(%d bytes that this database cannot store)\n", p.size)
		open, err = ask[bool](ctx, r.DB, outputSQL, o.job, o.due, int64(o.token), o.nonce, attempt,
			p.start, p.size, p.text, p.dropFrom, p.dropTo)
	}
	if err != nil {
		return false, fmt.Errorf("keep output of %s at %s: %w", o.job, stamp(o.due), err)
	}
	return open, nil
}
