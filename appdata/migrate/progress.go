package migrate

import (
	"context"
	"sync/atomic"
)

// Progress may be read while a plan is carried out.
type Progress struct {
	Files, FilesTotal atomic.Int64
	Bytes, BytesTotal atomic.Int64
	step              atomic.Value // Step

	pace func(ctx context.Context, bytes int64) error // of reading; nil: as fast as it goes
}

// read counts what was read, and waits where that was too fast.
func (p *Progress) read(ctx context.Context, n int64) error {
	p.Bytes.Add(n)
	if p.pace == nil {
		return nil
	}
	return p.pace(ctx, n)
}

// Step is what is being done.
func (p *Progress) Step() Step {
	s, ok := p.step.Load().(Step)
	if !ok {
		return ""
	}
	return s
}

func (p *Progress) begin(s Step, files, bytes int64) {
	p.step.Store(s)
	p.Files.Store(0)
	p.Bytes.Store(0)
	p.FilesTotal.Store(files)
	p.BytesTotal.Store(bytes)
}

// Moved changes whenever anything does.
func (p *Progress) Moved() int64 { return p.Files.Load() + p.Bytes.Load() + int64(len(p.Step())) }
