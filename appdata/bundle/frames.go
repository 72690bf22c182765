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
// all processors, and where one begins depends on nothing but this, so a bundle is the
// same whoever makes it.
const frameSize = 4 << 20

// window bounds what whoever reads a bundle must keep in memory to unpack it.
const window = 8 << 20

// framer compresses what is written to it.
type framer struct {
	encoder *zstd.Encoder
	part    []byte
	queue   chan chan []byte // in the order of the bundle
	free    chan []byte
	written chan error
}

func newFramer(out io.Writer) (*framer, error) {
	workers := runtime.GOMAXPROCS(0)
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(frameSize),
		zstd.WithEncoderConcurrency(workers), zstd.WithEncoderCRC(true), zstd.WithSingleSegment(false))
	if err != nil {
		return nil, err
	}
	f := &framer{
		encoder: encoder, part: make([]byte, 0, frameSize), queue: make(chan chan []byte, workers), free: make(chan []byte, workers+2), written: make(chan error, 1),
	}
	go func() { // ends with the queue; Close waits for it
		var failed error
		for frame := range f.queue {
			done := <-frame
			if failed == nil {
				_, failed = out.Write(done)
			}
		}
		f.written <- failed
	}()
	return f, nil
}

func (f *framer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		some := min(len(p), frameSize-len(f.part))
		f.part, p = append(f.part, p[:some]...), p[some:]
		if len(f.part) == frameSize {
			f.submit()
		}
	}
	return n, nil
}

// submit has a frame compressed; it waits while all processors are at work.
func (f *framer) submit() {
	part, frame := f.part, make(chan []byte, 1)
	f.queue <- frame
	go func() { // the writer of the queue waits for it
		frame <- f.encoder.EncodeAll(part, nil)
		select {
		case f.free <- part[:0]:
		default:
		}
	}()
	select {
	case f.part = <-f.free:
	default:
		f.part = make([]byte, 0, frameSize)
	}
}

// Close writes the rest, and tells what went wrong at any time.
func (f *framer) Close() error {
	if len(f.part) > 0 {
		f.submit()
	}
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
