package through

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Fault says which call goes wrong, and how. The zero value lets all pass.
type Fault struct {
	At   int           // number of the call, from 1; 0: none
	On   bool          // all from that one on go wrong
	Err  syscall.Errno // how; 0: it passes
	Kill bool          // the caller is killed: at an even number after the call was done, at an odd one before
	Hang bool          // it is never answered
	List bool          // remember what was asked
	Bare bool          // it holds no extended attributes, as long as this is so
}

// Call is one that was asked.
type Call struct {
	Op   Op
	Path string
}

// server shows a folder at a mount point.
type server struct {
	dir   string
	dev   *os.File
	ended chan error

	mu    sync.Mutex
	fault Fault    // guarded by mu
	asked int      // guarded by mu: calls since the fault was set
	calls []Call   // guarded by mu
	hung  []uint64 // guarded by mu: calls that nobody has answered

	// Of the goroutine that serves.
	paths map[uint64]string
	nodes map[string]uint64
	files map[uint64]int
	lists map[uint64][]os.DirEntry
	last  uint64
}

func mount(dir, point, kind string) (*server, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("no FUSE here: %w", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other", fd)
	if err := unix.Mount("nas1:/export", point, kind, unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return nil, errors.Join(fmt.Errorf("mount: %w", err), unix.Close(fd))
	}
	s := &server{
		dir: dir, ended: make(chan error, 1), dev: os.NewFile(uintptr(fd), "/dev/fuse"),
		paths: map[uint64]string{1: "."}, nodes: map[string]uint64{".": 1}, files: map[uint64]int{}, lists: map[uint64][]os.DirEntry{}, last: 1,
	}
	go func() { s.ended <- s.serve() }()
	return s, nil
}

func (s *server) set(f Fault) (said, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := said{Asked: s.asked, Calls: s.calls}
	s.fault, s.asked, s.calls = f, 0, nil
	var err error
	for _, unique := range s.hung {
		err = errors.Join(err, s.say(unique, syscall.EIO, nil))
	}
	s.hung = nil
	return a, err
}

func (s *server) serve() error {
	for message := make([]byte, 1<<18); ; {
		n, err := s.dev.Read(message)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINTR) {
			continue // who asked has gone away
		}
		if err != nil {
			return err
		}
		q := parse(message[:n])
		switch q.op {
		case forget, forgetMany, interrupt:
			continue // nobody waits
		}
		if err := s.one(q); err != nil {
			return err
		}
	}
}

// one does a call, if it does not go wrong.
func (s *server) one(q question) error {
	said, wrong := Fault{}, false
	switch q.op {
	case initialise, release, releaseDir, destroy: // their errors reach nobody
	default:
		s.mu.Lock()
		s.asked++
		said = s.fault
		wrong = said.At > 0 && (s.asked == said.At || said.On && s.asked > said.At)
		if said.List {
			s.calls = append(s.calls, Call{q.op, s.about(q)})
		}
		s.mu.Unlock()
	}
	switch {
	case wrong && said.Hang:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.fault.Hang {
			s.hung = append(s.hung, q.unique)
			return nil
		}
		return s.say(q.unique, syscall.EIO, nil)
	case wrong && said.Err != 0:
		return s.say(q.unique, said.Err, nil)
	case wrong && said.Kill && said.At%2 == 1:
		kill(q.pid)
		return s.say(q.unique, syscall.EINTR, nil)
	}
	switch q.op {
	case SetXAttr, GetXAttr, ListXAttr, RemoveXAttr:
		if said.Bare {
			return s.say(q.unique, syscall.ENOTSUP, nil)
		}
	}
	body, err := s.do(q)
	if wrong && said.Kill {
		kill(q.pid)
	}
	return s.say(q.unique, numberOf(err), body)
}

// kill ends the process of a thread.
func kill(thread int) {
	_ = syscall.Kill(thread, syscall.SIGKILL) // it may have ended by itself
}

func (s *server) say(unique uint64, failed syscall.Errno, body []byte) error {
	_, err := s.dev.Write(answer(unique, failed, body))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
		return nil // nobody waits for it any more
	}
	return err
}

// about is the path that a call asks about, for people.
func (s *server) about(q question) string {
	path := s.paths[q.node]
	switch q.op {
	case Lookup, Unlink, RmDir:
		return filepath.Join(path, q.texts(0)[0])
	case Create:
		return filepath.Join(path, q.texts(16)[0])
	case MkDir, Rename:
		return filepath.Join(path, q.texts(8)[0])
	case Rename2:
		return filepath.Join(path, q.texts(16)[0])
	}
	return path
}

// node numbers a path.
func (s *server) node(path string) uint64 {
	if found, is := s.nodes[path]; is {
		return found
	}
	s.last++
	s.nodes[path], s.paths[s.last] = s.last, path
	return s.last
}

// gone forgets a path and what lies below it.
func (s *server) gone(path string) {
	for p, n := range maps.Clone(s.nodes) {
		if p == path || strings.HasPrefix(p, path+"/") {
			delete(s.nodes, p)
			delete(s.paths, n)
		}
	}
}

// moved lets numbers go along with a path, and with what lies below it.
func (s *server) moved(from, to string) {
	for p, n := range maps.Clone(s.nodes) {
		if p == from || strings.HasPrefix(p, from+"/") {
			delete(s.nodes, p)
			p = to + strings.TrimPrefix(p, from)
			s.nodes[p], s.paths[n] = n, p
		}
	}
}

func (s *server) handle(fd int) uint64 {
	s.last++
	s.files[s.last] = fd
	return s.last
}

func (s *server) full(path string) string { return filepath.Join(s.dir, path) }

// found is the entry of a path.
func (s *server) found(path string) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Lstat(s.full(path), &st); err != nil {
		return nil, err
	}
	return entry(s.node(path), &st), nil
}

// list is what fits of a folder that is being listed.
func (s *server) list(handle, offset uint64, size int) []byte {
	var b []byte
	n := binary.NativeEndian
	kinds := map[os.FileMode]uint32{os.ModeDir: syscall.DT_DIR, os.ModeSymlink: syscall.DT_LNK, 0: syscall.DT_REG}
	for i := int(offset); i < len(s.lists[handle]); i++ {
		e := s.lists[handle][i]
		one := n.AppendUint64(n.AppendUint64(nil, uint64(i+1)), uint64(i+1))
		one = n.AppendUint32(n.AppendUint32(one, uint32(len(e.Name()))), kinds[e.Type()])
		one = append(one, e.Name()...)
		one = append(one, make([]byte, (8-len(e.Name())%8)%8)...)
		if len(b)+len(one) > size {
			break
		}
		b = append(b, one...)
	}
	return b
}
