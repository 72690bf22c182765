//go:build linux || darwin

package supervisor

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// logRoom is how many records wait for a log that is slow.
	logRoom = 256
	// lastWords bounds the wait for a log that hangs when everything else has ended.
	lastWords = time.Second
)

// An unhurried handler writes in a goroutine of its own: the reader of stderr
// may be frozen, and the supervisor must keep its deadlines without it. What
// finds no room is lost.
type unhurried struct {
	slog.Handler
	queue chan<- func()
}

func (u unhurried) Handle(ctx context.Context, r slog.Record) error {
	r = r.Clone()
	select {
	case u.queue <- func() {
		_ = u.Handler.Handle(context.WithoutCancel(ctx), r) // its errors would go to the log
	}:
	default:
	}
	return nil
}

func (u unhurried) WithAttrs(attrs []slog.Attr) slog.Handler {
	return unhurried{u.Handler.WithAttrs(attrs), u.queue}
}

func (u unhurried) WithGroup(name string) slog.Handler {
	return unhurried{u.Handler.WithGroup(name), u.queue}
}

// logUnhurried wraps a logger. finish writes what is left, if that is possible in time.
func logUnhurried(log *slog.Logger) (wrapped *slog.Logger, finish func()) {
	queue := make(chan func(), logRoom)
	quit := make(chan struct{})
	var pump sync.WaitGroup
	pump.Go(func() {
		for {
			select {
			case write := <-queue:
				write()
			case <-quit:
				for len(queue) > 0 {
					(<-queue)()
				}
				return
			}
		}
	})
	written := make(chan struct{})
	return slog.New(unhurried{log.Handler(), queue}), func() {
		close(quit)
		go func() { // without a wait where the log hangs: the process is about to end
			pump.Wait()
			close(written)
		}()
		select {
		case <-written:
		case <-time.After(lastWords):
		}
	}
}
