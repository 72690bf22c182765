package migrate

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// Proof says that a file has one content at both ends, and how both looked then. It
// is one line of a manifest.
type Proof struct {
	Path   string `json:"p"`           // quoted
	Kind   string `json:"k"`           // f, l or d
	Size   int64  `json:"s,omitempty"` // of a file
	Time   int64  `json:"m,omitempty"` // its time, in nanoseconds
	Digest string `json:"d,omitempty"`
	Target string `json:"l,omitempty"` // of a link, quoted
	From   string `json:"f,omitempty"` // how the original looked
	To     string `json:"t,omitempty"` // how the copy looked
}

// looks is a short sum of how a file looks: of a change something of it moves.
// Numbers of inodes are left out for the share, whose client may make them up.
func looks(info fs.FileInfo, inodes bool) string {
	s := factsOf(info)
	text := fmt.Sprint(info.Size(), info.ModTime().UnixNano(), s.changedSec, s.changedNsec, info.Mode(), s.uid, s.gid)
	if inodes {
		text += fmt.Sprint(" ", s.inode)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:9])
}

// known are the proofs of earlier runs, in little room.
type known map[uint64]knownProof

type knownProof struct {
	from, to [9]byte
	digest   appdata.Digest
}

func keyOf(path string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(path))
	return h.Sum64()
}

func (k known) learn(p Proof) {
	var one knownProof
	if p.Kind != "f" {
		k[keyOf(p.Path)] = one // of ours; there is nothing more to be known of it
		return
	}
	if err := one.digest.Read(p.Digest); err != nil {
		return
	}
	if n, err := hex.Decode(one.from[:], []byte(p.From)); err != nil || n != len(one.from) {
		return
	}
	if n, err := hex.Decode(one.to[:], []byte(p.To)); err != nil || n != len(one.to) {
		return
	}
	k[keyOf(p.Path)] = one
}

// holds gives the digest of a file whose proof still stands.
func (k known) holds(p Proof) (string, bool) {
	one, ok := k[keyOf(p.Path)]
	if !ok || hex.EncodeToString(one.from[:]) != p.From || hex.EncodeToString(one.to[:]) != p.To {
		return "", false
	}
	return one.digest.String(), true
}

// eachProof reads lines of proofs. The last one of a run that was killed may be half a
// line, and is passed over; in a manifest, which is whole, it is an error.
func eachProof(file string, whole bool, found func(Proof) error) error {
	return eachProofFrom(file, 0, whole, func(p Proof, _ int64) error { return found(p) })
}

// eachProofFrom begins somewhere, and says where each line ends.
func eachProofFrom(file string, at int64, whole bool, found func(p Proof, end int64) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(f, 1<<16)
	for {
		line, err := r.ReadBytes('\n')
		at += int64(len(line))
		if len(bytes.TrimSpace(line)) > 0 {
			var p Proof
			switch bad := json.Unmarshal(line, &p); {
			case bad == nil:
				if err := found(p, at); err != nil {
					return err
				}
			case whole:
				return fmt.Errorf("%s: %w", file, bad)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// learnFrom reads proofs of earlier runs; none is no error.
func (k known) learnFrom(file string) error {
	err := eachProof(file, false, func(p Proof) error {
		k.learn(p)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// lines is a file of proofs that is being written by several workers.
type lines struct {
	mu   sync.Mutex
	f    *os.File
	w    *bufio.Writer
	last time.Time
}

func newLines(file string, flags int) (*lines, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|flags, 0o600)
	if err != nil {
		return nil, err
	}
	return &lines{f: f, w: bufio.NewWriterSize(f, 1<<16), last: time.Now()}, nil
}

// line is what stands for it in a file.
func (p Proof) line() ([]byte, error) {
	text, err := json.Marshal(p)
	return append(text, '\n'), err
}

func (l *lines) add(p Proof) error {
	line, err := p.line()
	if err != nil {
		return err
	}
	return l.write(line)
}

// write adds a line, and now and then writes through to the file, so that little is read
// again by the run that comes after a kill.
func (l *lines) write(line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.w.Write(line); err != nil {
		return err
	}
	if time.Since(l.last) < time.Second {
		return nil
	}
	l.last = time.Now()
	return l.w.Flush()
}

func (l *lines) close(sync bool) error {
	err := l.w.Flush()
	if err == nil && sync {
		err = l.f.Sync()
	}
	return errors.Join(err, l.f.Close())
}
