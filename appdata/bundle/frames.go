package bundle

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// frameSize is how much of a bundle one frame of zstd has. Frames are made at once on
// all processors, and where one begins depends on nothing but the files, so a bundle is the
// same whoever makes it.
const frameSize = 4 << 20

// window bounds what whoever reads a bundle must keep in memory to unpack it.
const window = 8 << 20

// framer compresses what is written to it, and what others fill frames with.
type framer struct {
	encoder *zstd.Encoder
	part    []byte
	queue   chan chan frame // in the order of the bundle
	free    chan []byte     // buffers of frames that are compressed
	spare   chan []byte     // and of such that are written
	written chan error
}

// frame is one that is compressed, or why it is not.
type frame struct {
	text []byte
	err  error
}

// newFramer has so many frames at work at once, and as many as there are processors at least.
func newFramer(out io.Writer, workers int) (*framer, error) {
	processors := runtime.GOMAXPROCS(0)
	workers = max(workers, processors)
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(frameSize),
		zstd.WithEncoderConcurrency(processors), zstd.WithEncoderCRC(true), zstd.WithSingleSegment(false))
	if err != nil {
		return nil, err
	}
	f := &framer{
		encoder: encoder, queue: make(chan chan frame, workers-1), free: make(chan []byte, workers+2), spare: make(chan []byte, workers+2), written: make(chan error, 1),
	}
	go func() { // ends with the queue; Close waits for it
		var failed error
		for each := range f.queue {
			done := <-each
			if failed == nil {
				failed = done.err
			}
			if failed == nil {
				_, failed = out.Write(done.text)
			}
			put(f.spare, done.text)
		}
		f.written <- failed
	}()
	return f, nil
}

// Write goes on with the frame that was begun, and begins others.
func (f *framer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if f.part == nil {
			f.part = take(f.free)
		}
		some := min(len(p), frameSize-len(f.part))
		f.part, p = append(f.part, p[:some]...), p[some:]
		if len(f.part) == frameSize {
			f.cut()
		}
	}
	return n, nil
}

// cut ends the frame that was begun.
func (f *framer) cut() {
	if part := f.part; len(part) > 0 {
		f.part = nil
		f.submit(func() ([]byte, error) { return part, nil })
	}
}

// fill has the next frame made by somebody else, who appends to a buffer, while this
// one goes on. It waits while enough are at work.
func (f *framer) fill(do func(buffer []byte) ([]byte, error)) {
	f.cut()
	f.submit(func() ([]byte, error) { return do(take(f.free)) })
}

func (f *framer) submit(text func() ([]byte, error)) {
	result := make(chan frame, 1)
	f.queue <- result
	go func() { // the writer of the queue waits for it
		part, err := text()
		done := frame{err: err}
		if err == nil {
			done.text = f.encoder.EncodeAll(part, take(f.spare))
		}
		put(f.free, part)
		result <- done
	}()
}

// take and put keep buffers for the next frame.
func take(from chan []byte) []byte {
	select {
	case buffer := <-from:
		return buffer[:0]
	default:
		return make([]byte, 0, frameSize)
	}
}

func put(to chan []byte, buffer []byte) {
	if cap(buffer) == 0 {
		return
	}
	select {
	case to <- buffer:
	default:
	}
}

// Close writes the rest, and tells what went wrong first.
func (f *framer) Close() error {
	f.cut()
	close(f.queue)
	return errors.Join(<-f.written, f.encoder.Close())
}

// unpack reads frames that anybody may have made.
func unpack(in io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window), zstd.WithDecoderLowmem(true))
}

// unpackFault gives what is wrong with a bundle its kind. What the disk says, and that
// nobody wants to know any more, stays what it is.
func unpackFault(err error) error {
	_, known := errors.AsType[*Fault](err)
	_, disk := errors.AsType[*fs.PathError](err)
	switch {
	case err == nil, known, disk, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrFrameSizeExceeded):
		return fault(TooLarge, "", "wants more memory to be unpacked than a bundle needs")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fault(Damaged, "", "ends too early")
	}
	return fault(Damaged, "", "cannot be unpacked: %v", err)
}
