package faulty

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// server shows a folder at a mount point.
type server struct {
	dir   string
	dev   *os.File
	ended chan error

	mu    sync.Mutex
	fault fault // guarded by mu
	asked int   // guarded by mu: questions since the fault was set

	// Of the goroutine that serves.
	paths map[uint64]string
	nodes map[string]uint64
	open  map[uint64][]fs.DirEntry // folders that are being listed
	last  uint64
}

func mount(dir, point string) (*server, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("no FUSE here: %w", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other", fd)
	if err := unix.Mount("nas1:/export", point, "fuse.faulty", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return nil, errors.Join(fmt.Errorf("mount: %w", err), unix.Close(fd))
	}
	s := &server{
		dir: dir, ended: make(chan error, 1),
		dev:   os.NewFile(uintptr(fd), "/dev/fuse"), // only now can the runtime wait on it
		paths: map[uint64]string{1: "."}, nodes: map[string]uint64{".": 1}, open: map[uint64][]fs.DirEntry{}, last: 1,
	}
	go func() { s.ended <- s.serve() }()
	return s, nil
}

// set has another fault decide from the next question on, and tells how many the one
// before was asked.
func (s *server) set(f fault) (asked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked = s.asked
	s.fault, s.asked = f, 0
	return asked
}

func (s *server) serve() error {
	for message := make([]byte, 1<<17); ; {
		n, err := s.dev.Read(message)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINTR) {
			continue // who asked has gone away
		}
		if err != nil {
			return err
		}
		q := parse(message[:n])
		if q.op == forget || q.op == forgetMany || q.op == interrupt {
			continue // nobody waits
		}
		body, failed := s.decide(q)
		if _, err := s.dev.Write(answer(q.unique, failed, body)); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("answer to %+v: %w", q, err)
		}
	}
}

func (s *server) decide(q question) ([]byte, syscall.Errno) {
	path := s.paths[q.node]
	if q.op == Lookup {
		path = filepath.Join(path, string(q.body[:len(q.body)-1]))
	}
	var said lie
	s.mu.Lock()
	if s.asked++; s.fault != nil && q.op != initialise && q.op != release && q.op != releaseDir {
		said = s.fault(q.op, path)
	}
	s.mu.Unlock()
	time.Sleep(said.after)
	if said.err != 0 {
		return nil, said.err
	}
	dir := s.dir
	if said.from != "" {
		dir = said.from
	}
	body, err := s.reply(q, path, filepath.Join(dir, path), said)
	if err == nil {
		return body, 0
	}
	var number syscall.Errno
	if !errors.As(err, &number) {
		number = syscall.EIO
	}
	return nil, number
}

func (s *server) reply(q question, path, full string, said lie) ([]byte, error) {
	n := binary.NativeEndian
	switch q.op {
	case initialise:
		b := n.AppendUint32(n.AppendUint32(nil, 7), 31)
		b = append(b, make([]byte, 4+4+2+2)...)
		b = n.AppendUint32(b, 1<<16) // max_write
		return append(b, make([]byte, 64-len(b))...), nil
	case Lookup, Attributes:
		info, err := os.Lstat(full)
		if err != nil {
			return nil, err
		}
		if said.info != nil {
			info = said.info(info)
		}
		if node := s.node(path); q.op == Lookup {
			return appendEntry(node, info), nil
		}
		return appendAttributes(make([]byte, 16), q.node, info), nil
	case Link:
		text, err := os.Readlink(full)
		return []byte(text), err
	case Open, OpenFolder:
		return s.opened(q.op, full, said)
	case Read:
		return readAt(full, int64(n.Uint64(q.body[8:])), int(n.Uint32(q.body[16:])))
	case List:
		return s.list(n.Uint64(q.body), n.Uint64(q.body[8:]), int(n.Uint32(q.body[16:]))), nil
	case releaseDir:
		delete(s.open, n.Uint64(q.body))
		return nil, nil
	case release:
		return nil, nil
	case space:
		b := make([]byte, 0, 80)
		for range 5 {
			b = n.AppendUint64(b, 1<<30)
		}
		return append(n.AppendUint32(n.AppendUint32(n.AppendUint32(b, 4096), 255), 4096), make([]byte, 28)...), nil
	}
	return nil, syscall.ENOSYS
}

// node numbers a path. Numbers stay: trials show small folders.
func (s *server) node(path string) uint64 {
	if found, is := s.nodes[path]; is {
		return found
	}
	node := uint64(len(s.nodes) + 1)
	s.nodes[path], s.paths[node] = node, path
	return node
}

// opened keeps what is in a folder from its opening to its end, as it was then.
func (s *server) opened(op Op, full string, said lie) ([]byte, error) {
	s.last++
	if op == OpenFolder {
		names, err := os.ReadDir(full)
		if err != nil {
			return nil, err
		}
		if said.names != nil {
			names = said.names(names)
		}
		s.open[s.last] = names
	} else if _, err := os.Lstat(full); err != nil {
		return nil, err
	}
	b := binary.NativeEndian.AppendUint64(nil, s.last)
	return append(b, 1, 0, 0, 0, 0, 0, 0, 0), nil // 1: nothing is to be cached
}

func readAt(full string, offset int64, size int) ([]byte, error) {
	f, err := os.Open(full)
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], errors.Join(err, f.Close())
}

func (s *server) list(handle, offset uint64, size int) []byte {
	var b []byte
	for i := int(offset); i < len(s.open[handle]); i++ {
		more := appendName(b, uint64(i+1), s.open[handle][i])
		if len(more) > size {
			break
		}
		b = more
	}
	return b
}
