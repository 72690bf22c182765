package jobs

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// checkpointMost is how large a checkpoint may be.
	checkpointMost = 16 << 10
	// reportEvery is how often a run's progress is written down.
	reportEvery = time.Second
	// lineMost bounds a line of a program's progress.
	lineMost = 32 << 10
)

// Progress is what a run says of itself while it goes on. What is left out stays
// as it was.
type Progress struct {
	Percent    *int    `json:"percent,omitempty"`
	Message    *string `json:"message,omitempty"`
	Checkpoint *string `json:"checkpoint,omitempty"` // from which another run can go on
}

// Checkpoint is where a run was that did not succeed.
type Checkpoint struct {
	Due  time.Time // of that run
	Text string    // in its own words; empty for none
}

// parseProgress reads a line of a program: an object with percent, message and
// checkpoint, or a percentage and a message, or a message.
func parseProgress(line string) Progress {
	var p Progress
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &p) == nil {
		return p
	}
	p = Progress{}
	first, rest, _ := strings.Cut(line, " ")
	if n, err := strconv.Atoi(strings.TrimSuffix(first, "%")); err == nil && n >= 0 && n <= 100 {
		p.Percent, line = &n, strings.TrimSpace(rest)
	}
	if line != "" {
		p.Message = &line
	}
	return p
}

// check says what is wrong with it.
func (p Progress) check() error {
	switch {
	case p.Percent != nil && (*p.Percent < 0 || *p.Percent > 100):
		return fmt.Errorf("percent is %d, and must be 0 to 100", *p.Percent)
	case p.Checkpoint != nil && len(*p.Checkpoint) > checkpointMost:
		return fmt.Errorf("the checkpoint has %d bytes, and at most %d are taken", len(*p.Checkpoint), checkpointMost)
	case p.Checkpoint != nil && strings.ToValidUTF8(*p.Checkpoint, "") != *p.Checkpoint, p.Checkpoint != nil && strings.ContainsRune(*p.Checkpoint, 0):
		return fmt.Errorf("the checkpoint is no text")
	}
	return nil
}

// over is p with what others said before it.
func (p Progress) over(before Progress) Progress {
	if p.Percent == nil {
		p.Percent = before.Percent
	}
	if p.Message == nil {
		p.Message = before.Message
	}
	if p.Checkpoint == nil {
		p.Checkpoint = before.Checkpoint
	}
	return p
}

// lines hands on what is written to it line by line. What is longer than a line
// may be is lost.
type lines struct {
	take func(line string)
	buf  []byte
	skip bool // the rest of a line that is too long
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part, rest, whole := bytes.Cut(p, []byte{'\n'})
		p = rest
		if !l.skip {
			l.buf = append(l.buf, part...)
		}
		if len(l.buf) > lineMost {
			l.buf, l.skip = l.buf[:0], true
		}
		if whole {
			if len(l.buf) > 0 {
				l.take(string(l.buf))
			}
			l.buf, l.skip = l.buf[:0], false
		}
	}
	return n, nil
}

// reporter writes down what a run says of itself: at once when it was silent, and
// then at most once a second. It never makes the run wait.
type reporter struct {
	send func(ctx context.Context, p Progress) error

	mu   sync.Mutex // guards the fields below
	news Progress   // not written down yet
	last Checkpoint // that the run set
	due  time.Time
	more chan struct{}
}

// report takes what a run says.
func (r *reporter) report(p Progress) {
	if p.check() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.news = p.over(r.news)
	if p.Checkpoint != nil {
		r.last = Checkpoint{r.due, *p.Checkpoint}
	}
	select {
	case r.more <- struct{}{}:
	default: // told already
	}
}

func (r *reporter) take() (p Progress, some bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, r.news = r.news, Progress{}
	return p, p != Progress{}
}

// run writes until ctx ends.
func (r *reporter) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.more:
		}
		if r.flush(ctx) != nil {
			select {
			case r.more <- struct{}{}: // again, after a pause
			default:
			}
		}
		if pause(ctx, reportEvery) != nil {
			return
		}
	}
}

func (r *reporter) flush(ctx context.Context) error {
	p, some := r.take()
	if !some {
		return nil
	}
	err := r.send(ctx, p)
	if err != nil && !unstorable(err) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.news = r.news.over(p)
	}
	return err
}

// checkpoint is the last one that the run set.
func (r *reporter) checkpoint() Checkpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

const progressSQL = `SELECT coterie.run_progress($1, $2, $3, $4, $5, $6, $7)`

func (r *Runner) callProgress(ctx context.Context, o opened, p Progress) error {
	percent := sql.NullInt32{Valid: p.Percent != nil}
	if p.Percent != nil {
		percent.Int32 = int32(*p.Percent)
	}
	message, checkpoint := sql.NullString{Valid: p.Message != nil}, sql.NullString{Valid: p.Checkpoint != nil}
	if p.Message != nil {
		message.String = oneLine(*p.Message, reasonSize)
	}
	if p.Checkpoint != nil {
		checkpoint.String = *p.Checkpoint
	}
	_, err := ask[bool](ctx, r.DB, progressSQL, o.job, o.due, int64(o.token), o.nonce, percent, message, checkpoint)
	if err != nil {
		return fmt.Errorf("write down the progress of %s at %s: %w", o.job, stamp(o.due), err)
	}
	return nil
}
