package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// Serve is the whole of a worker process: it answers requests from in on out
// until in ends or cannot be understood. The process must exit when it
// returns: a request that hangs is left behind.
func Serve(in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lines, ended := make(chan request), make(chan error, 1)
	go read(in, lines, ended) // a pump: ends with in, or with the process
	for {
		select {
		case err := <-ended:
			return err
		case r := <-lines:
			done := make(chan error, 1)
			go func() { done <- respond(ctx, r, out) }()
			// The end of the agent is noticed also while the share hangs.
			select {
			case err := <-ended:
				return err
			case err := <-done:
				if err != nil {
					return err
				}
			}
		}
	}
}

func read(in io.Reader, lines chan<- request, ended chan<- error) {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		var r request
		if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
			ended <- fmt.Errorf("worker: request: %w", err)
			return
		}
		lines <- r
	}
	ended <- scanner.Err()
}

func respond(ctx context.Context, r request, out io.Writer) error {
	say := func(a answer) error {
		text, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("worker: answer: %w", err)
		}
		_, err = out.Write(append(text, '\n'))
		return err
	}
	a := answer{ID: r.ID}
	switch {
	case r.Watch != nil:
		return r.Watch.serve(ctx, r.ID, say)
	case r.Own != nil:
		return serveOwn(ctx, *r.Own, r.ID, say)
	case r.Moved != nil:
		return serveMoved(ctx, *r.Moved, r.ID, say)
	case r.Take != nil:
		taken, err := r.Take.Do(ctx)
		if err != nil {
			a.Error = err.Error()
		} else {
			a.Taken = &taken
		}
	case r.Text != nil:
		read, err := r.Text.Do()
		if err != nil {
			a.Error = err.Error()
		} else {
			a.Text = &read
		}
	case r.Look != nil:
		found, err := r.Look.Do(ctx)
		if err != nil {
			a.Error = err.Error()
		} else {
			a.Looked = &found
		}
	case r.Touch != nil:
		place, err := r.Touch.Touch(ctx)
		if err != nil {
			a.Error = err.Error()
		} else {
			a.Place = &place
		}
	case r.Probe != nil:
		c, err := r.Probe.Probe(ctx)
		if err != nil {
			a.Error = err.Error()
		} else {
			a.Condition = &c
		}
	case r.Expect != nil:
		missing, err := r.Expect.Do(ctx)
		if err != nil {
			a.Error = err.Error()
		} else {
			a.Missing = &missing
		}
	case r.Publish != nil:
		done, err := r.Publish.Do(ctx)
		if err != nil {
			a.Error = err.Error()
		} else {
			a.Published = &done
		}
	default:
		a.Error = "a request of no kind that this version knows"
	}
	return say(a)
}
