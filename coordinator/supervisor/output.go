//go:build linux || darwin

package supervisor

import (
	"io"
	"os"
	"time"
)

// drainFor bounds the wait for output after the last process of a run: only a
// descriptor that it gave to somebody else can hold the pipe open.
const drainFor = time.Second

// copies carry a run's output to its writers.
type copies struct {
	list []*oneCopy
}

type oneCopy struct {
	from *os.File
	to   io.Writer
	done chan struct{}
}

// open makes a pipe and returns the end for the run, in blocking mode: most
// programs do not expect EAGAIN from their stdout.
func (cs *copies) open(to io.Writer) (int, error) {
	r, w, err := pipe()
	if err != nil {
		return -1, err
	}
	cs.list = append(cs.list, &oneCopy{from: r, to: to, done: make(chan struct{})})
	return w, nil
}

func (cs *copies) start(c *Client) {
	for _, one := range cs.list {
		c.pumps.Go(one.run)
	}
}

// run copies in bounded pieces. A writer that fails does not stop the run:
// what follows is read and thrown away, so that the program does not block.
func (o *oneCopy) run() {
	defer close(o.done)
	piece := make([]byte, 32<<10)
	for to := o.to; ; {
		n, err := o.from.Read(piece)
		if n > 0 {
			if _, bad := to.Write(piece[:n]); bad != nil {
				to = io.Discard
			}
		}
		if err != nil {
			return // the end of the pipe, or closed by us
		}
	}
}

// drain waits until all output is copied, but not for long.
func (cs *copies) drain(hurry <-chan struct{}) {
	limit := time.NewTimer(drainFor)
	defer limit.Stop()
	for _, one := range cs.list {
		select {
		case <-one.done:
		case <-hurry:
			return
		case <-limit.C:
			return
		}
	}
}

func (cs *copies) close() {
	for _, one := range cs.list {
		one.from.Close()
	}
}
