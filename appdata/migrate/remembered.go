package migrate

import (
	"hash/maphash"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

const (
	rememberedSize  = 16 << 10    // of larger files reading once more costs less than a second digest
	rememberedMost  = 1 << 18     // some 21 MB; what comes later is read once more
	rememberedSince = time.Minute // longer than a system keeps a page that may be written without moving a time
)

// remembered are the digests of small originals, taken from what was read to be copied. An
// original that looks as it did then is not read again to be proved: its copy is, and has the
// same digest. Who was changed shortly before is not remembered, since a second change might
// not show, nor who is not on the host's own disk, whose times a server makes.
type remembered struct {
	device  uint64        // of the originals
	settled time.Duration // since a file was changed, to be remembered
	seed    maphash.Seed

	mu sync.Mutex
	of map[uint64]rememberedOne
}

// rememberedOne has half of a digest, and a sum of how the file looked.
type rememberedOne struct {
	looks  uint64
	digest [16]byte
}

// look is what moves with a change of a file.
type look struct {
	device, inode           uint64
	size, modified, changed int64 // bytes; nanoseconds
}

func lookOf(info fs.FileInfo) look {
	f := factsOf(info)
	return look{f.dev, f.inode, info.Size(), info.ModTime().UnixNano(), f.changedSec*int64(time.Second) + f.changedNsec}
}

// remember returns nothing where an original's times are not this host's own.
func (p Plan) remember() (*remembered, error) {
	mount, err := appdata.MountAt(p.From)
	if err != nil || mount.Network() {
		return nil, err
	}
	info, err := os.Stat(p.From)
	if err != nil {
		return nil, err
	}
	return &remembered{device: factsOf(info).dev, settled: rememberedSince, seed: maphash.MakeSeed(), of: map[uint64]rememberedOne{}}, nil
}

// takes says whether a file that is about to be read is one to be remembered.
func (r *remembered) takes(l look) bool {
	return r != nil && l.size <= rememberedSize && l.device == r.device && time.Since(time.Unix(0, l.changed)) > r.settled
}

func (r *remembered) note(name string, l look, digest appdata.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.of) < rememberedMost {
		r.of[maphash.String(r.seed, name)] = rememberedOne{maphash.Comparable(r.seed, l), [16]byte(digest[:16])}
	}
}

// half is the first half of the digest that a file had when it was copied, if it looks as it
// did then.
func (r *remembered) half(name string, l look) (digest [16]byte, known bool) {
	if r == nil {
		return digest, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	one, known := r.of[maphash.String(r.seed, name)]
	return one.digest, known && one.looks == maphash.Comparable(r.seed, l)
}

// forget has an original read again.
func (r *remembered) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, maphash.String(r.seed, name))
}
