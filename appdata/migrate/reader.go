package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// Reader reads, bit by bit, what a plan has moved to a share: what an agent has its
// expendable process do.
type Reader struct {
	Share    string `json:"share"`
	Plan     string `json:"plan"`
	Manifest string `json:"manifest"` // digest by which the right share is known
	From     Mark   `json:"from"`
	Files    int64  `json:"files"` // a second at most; 0: as fast as it goes
	Bytes    int64  `json:"bytes"`
}

// Mark is how far a reading is, and where another one goes on.
type Mark struct {
	At      int64   `json:"at"` // in the manifest: what stands before was read
	Reading Reading `json:"reading"`

	Moved  int64  `json:"moved,omitempty"`  // bytes that this reader has read, also of what is not counted yet
	Done   bool   `json:"done,omitempty"`   // nothing is left
	Unsaid string `json:"unsaid,omitempty"` // why its word could not be left on the share
}

// UnreadError names files that could not be read. Nothing is known of them.
type UnreadError struct{ Sample []string }

func (e *UnreadError) Error() string {
	return fmt.Sprintf("cannot be read: %v", e.Sample)
}

// ErrMovedAgain means that the files were moved once more since it was asked for.
var ErrMovedAgain = errors.New("the files have been moved once more")

// Do reads, and tells now and then how far it is; the last word is that it is done.
// What cannot be read ends it: the mark before it still holds.
func (r Reader) Do(ctx context.Context, tell func(Mark) error) error {
	p, err := r.plan()
	if err != nil {
		return err
	}
	progress := &Progress{pace: appdata.Pace(r.Bytes)}
	job := reading{plan: p, manifest: filepath.Join(p.shareDir(), manifestName), progress: progress, next: appdata.Pace(r.Files), mark: r.From, tell: tell, strict: true}
	if err := job.begin(); err != nil {
		return err
	}
	if job.mark.Reading.Manifest != r.Manifest {
		return ErrMovedAgain
	}
	if err := job.all(ctx); err != nil {
		return err
	}
	// What was not there may have been a share that was not.
	if _, err := r.plan(); err != nil {
		return err
	}
	if err := p.leaveWord(job.mark.Reading); err != nil {
		job.mark.Unsaid = err.Error()
	}
	job.mark.Done = true
	return tell(job.mark)
}

func (r Reader) plan() (Plan, error) {
	p, err := PlanOn(r.Share)
	if err == nil && p.ID != r.Plan {
		err = fmt.Errorf("%w: %s was filled by plan %s", ErrOther, r.Share, p.ID)
	}
	return p, err
}

// read reads all at once.
func (p Plan) read(ctx context.Context, manifest string, progress *Progress) (Reading, error) {
	job := reading{plan: p, manifest: manifest, progress: progress}
	if err := job.begin(); err != nil {
		return job.mark.Reading, err
	}
	var files, bytes int64
	for _, one := range p.Items {
		files, bytes = files+one.Files, bytes+one.Bytes
	}
	progress.begin("read", files, bytes)
	err := job.all(ctx)
	slices.Sort(job.mark.Reading.Sample)
	return job.mark.Reading, err
}

// reading is a Reader at work, a batch of files after another.
type reading struct {
	plan     Plan
	manifest string
	progress *Progress
	next     func(ctx context.Context, files int64) error // nil: as fast as it goes
	mark     Mark
	tell     func(Mark) error // nil: nobody listens
	strict   bool             // what cannot be read ends it

	batch []Proof
	size  int64 // of the batch
	end   int64 // of the batch in the manifest
}

// A batch is what is read again after a kill, and must be large enough to keep all busy.
const (
	batchFiles = 256
	batchBytes = 64 << 20
)

// begin says who reads what.
func (w *reading) begin() error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	digest, err := digestOf(w.manifest)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %s", ErrNotProved, w.plan.To)
	}
	if err != nil {
		return err
	}
	r := &w.mark.Reading
	if w.mark.At == 0 || r.Manifest != digest || r.Machine != Machine() {
		w.mark.At, *r = 0, Reading{}
	}
	r.Schema, r.Plan, r.Machine, r.Host, r.Manifest = readingSchema, w.plan.ID, Machine(), host, digest
	r.At = time.Now().UTC().Format(time.RFC3339)
	return nil
}

func (w *reading) all(ctx context.Context) error {
	err := eachProofFrom(w.manifest, w.mark.At, true, func(one Proof, end int64) error {
		w.end = end
		if one.Kind == "d" {
			return nil
		}
		w.batch, w.size = append(w.batch, one), w.size+one.Size
		if len(w.batch) < batchFiles && w.size < batchBytes {
			return nil
		}
		return w.take(ctx)
	})
	if err != nil {
		return err
	}
	return w.take(ctx)
}

// take reads a batch, and tells meanwhile that something moves.
func (w *reading) take(ctx context.Context) error {
	sights, words := make([]sight, len(w.batch)), make([]string, len(w.batch))
	done := make(chan struct{})
	go func() { // waited for below
		defer close(done)
		w.readAll(ctx, sights, words)
	}()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	moved, err := w.progress.Moved(), error(nil)
	for over := false; !over; {
		select {
		case <-done:
			over = true
		case <-look.C:
			if now := w.progress.Moved(); now != moved && w.tell != nil && err == nil {
				moved = now
				w.mark.Moved = w.progress.Bytes.Load()
				err = w.tell(w.mark)
			}
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var unread UnreadError
	for i, got := range sights {
		if got == isUnread && w.strict && len(unread.Sample) < sampleSize {
			unread.Sample = append(unread.Sample, w.batch[i].Path+": "+words[i])
		}
	}
	if len(unread.Sample) > 0 {
		return &unread
	}
	for i, got := range sights {
		w.mark.Reading.count(w.batch[i], got, words[i])
	}
	w.mark.At, w.mark.Moved = w.end, w.progress.Bytes.Load()
	w.batch, w.size = w.batch[:0], 0
	if err == nil && w.tell != nil {
		err = w.tell(w.mark)
	}
	return err
}

func (w *reading) readAll(ctx context.Context, sights []sight, words []string) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(4*runtime.GOMAXPROCS(0), len(w.batch)) {
		workers.Go(func() {
			buf := make([]byte, blockSize)
			for i := next.Add(1) - 1; i < int64(len(w.batch)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if w.next != nil && w.next(ctx, 1) != nil {
					return // ctx has ended
				}
				sights[i], words[i] = w.plan.readOne(ctx, w.batch[i], buf, w.progress)
			}
		})
	}
	workers.Wait()
}
