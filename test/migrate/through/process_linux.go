package through

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// The environment's variables by which a process knows that it serves.
const (
	folderKey = "COTERIE_THROUGH_FOLDER"
	pointKey  = "COTERIE_THROUGH_POINT"
	kindKey   = "COTERIE_THROUGH_KIND"
)

// Main serves, and ends the process, if it was begun by Mount. A test's TestMain calls
// it first.
func Main() {
	if os.Getenv(folderKey) == "" {
		return
	}
	if err := run(os.Getenv(folderKey), os.Getenv(pointKey), os.Getenv(kindKey)); err != nil {
		fmt.Fprintln(os.Stderr, "through:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// said is a line that answers a fault.
type said struct {
	Asked int
	Calls []Call
	Err   string
}

func run(dir, point, kind string) error {
	out := json.NewEncoder(os.Stdout)
	s, err := mount(dir, point, kind)
	if err != nil {
		return errors.Join(err, out.Encode(said{Err: err.Error()}))
	}
	if err := out.Encode(said{}); err != nil {
		return err
	}
	told := make(chan error, 1)
	go func() {
		in := json.NewDecoder(os.Stdin)
		for {
			var f Fault
			if err := in.Decode(&f); err != nil {
				told <- nil // who asked has ended
				return
			}
			a, err := s.set(f)
			if err = errors.Join(err, out.Encode(a)); err != nil {
				told <- err
				return
			}
		}
	}()
	select {
	case err = <-told:
	case err = <-s.ended:
	}
	return err // the end of this process answers whoever waits
}

// Server is a process that shows a folder at a mount point: a process that asks itself
// would wait for its own answer.
type Server struct {
	point string
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
}

// Mount shows dir at a mount point until Close, as what kind of file system it says. It
// needs the right to mount.
func Mount(dir, at, kind string) (*Server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &Server{point: at, cmd: exec.Command(self)}
	s.cmd.Env, s.cmd.Stderr = append(os.Environ(), folderKey+"="+dir, pointKey+"="+at, kindKey+"="+kind), os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	runtime.LockOSThread() // the parent-death signal comes when this thread ends
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.out = json.NewDecoder(bufio.NewReader(out))
	if _, err := s.answer(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Set has another fault decide from the next call on, and tells how many calls there
// were since the last one, and what they asked if that was wanted. Whatever hung is
// answered by an error.
func (s *Server) Set(f Fault) (asked int, calls []Call, err error) {
	if err := json.NewEncoder(s.in).Encode(f); err != nil {
		return 0, nil, err
	}
	a, err := s.answer()
	return a.Asked, a.Calls, err
}

func (s *Server) answer() (said, error) {
	var a said
	err := s.out.Decode(&a)
	if err == nil && a.Err != "" {
		err = errors.New(a.Err)
	}
	return a, err
}

// Close ends the process and unmounts.
func (s *Server) Close() error {
	err := errors.Join(s.in.Close(), s.cmd.Wait())
	runtime.UnlockOSThread()
	if left := unix.Unmount(s.point, unix.MNT_DETACH); left != nil && !errors.Is(left, unix.EINVAL) {
		err = errors.Join(err, left)
	}
	return err
}
