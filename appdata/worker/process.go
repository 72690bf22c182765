package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is one worker. It belongs to one request at a time.
type process struct {
	in     *os.File // its input
	out    *os.File // its output
	lines  *bufio.Reader
	lastID int64
	cmd    *exec.Cmd
	gone   chan struct{} // closed when it is reaped, which may be long after it was killed
}

func start(argv, env []string, stderr *os.File) (*process, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirIn.Close(), in.Close())
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, stderr
	cmd.Env = append([]string{}, env...) // not nil, which would hand on ours
	cmd.Dir = string(os.PathSeparator)   // whatever our own directory lies on
	err = cmd.Start()
	err = errors.Join(err, theirIn.Close(), theirOut.Close())
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	p := &process{in: in, out: out, lines: bufio.NewReader(out), cmd: cmd, gone: make(chan struct{})}
	go func() { // waited for through gone, unless the worker is stuck in the kernel
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.gone)
	}()
	return p, nil
}

// ask sends one request and waits for its answer until ctx ends. After an
// error the worker is of no further use.
func (p *process) ask(ctx context.Context, r request) (answer, error) {
	p.lastID++
	r.ID = p.lastID
	text, err := json.Marshal(r)
	if err != nil {
		return answer{}, err
	}
	stop := p.interruptible(ctx)
	defer stop()
	if _, err := p.in.Write(append(text, '\n')); err != nil {
		return answer{}, p.because(ctx, err)
	}
	line, err := p.readLine()
	if err != nil {
		return answer{}, p.because(ctx, err)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return answer{}, fmt.Errorf("worker: %w in %.80q", err, line)
	}
	if a.ID != r.ID {
		return answer{}, fmt.Errorf("worker: answer %d to request %d", a.ID, r.ID)
	}
	if !stop() {
		return answer{}, context.Cause(ctx) // the answer came, but its pipes are armed by now
	}
	return a, nil
}

// interruptible ends what waits for the worker's pipes when ctx ends. Both ends
// are pipes, which know deadlines: nothing outlives ctx.
func (p *process) interruptible(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		past := time.Unix(1, 0)
		_ = p.in.SetWriteDeadline(past) // fail only for a pipe that is closed
		_ = p.out.SetReadDeadline(past)
	})
}

func (p *process) readLine() ([]byte, error) {
	var line []byte
	for {
		part, err := p.lines.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > maxLine:
			return nil, errors.New("worker: the answer has no end")
		}
	}
}

// because says why a request got no answer: its time ran out, or the worker ended.
func (p *process) because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) {
		select {
		case <-p.gone:
			return fmt.Errorf("worker ended: %v", p.cmd.ProcessState)
		case <-ctx.Done():
		}
	}
	return fmt.Errorf("worker: %w", err)
}

// end kills the worker and reports whether it was gone within grace.
func (p *process) end(grace time.Duration) bool {
	// Only a worker that is gone already cannot be killed, and closing a pipe
	// of which nothing is wanted any more loses nothing.
	_ = p.cmd.Process.Kill()
	_ = p.in.Close()
	_ = p.out.Close()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.gone:
		return true
	case <-timer.C:
		return false
	}
}

func (p *process) isGone() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}
