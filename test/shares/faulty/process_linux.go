package faulty

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

// places are the environment's variables by which a process knows that it serves.
const places, point = "COTERIE_FAULTY_FOLDER", "COTERIE_FAULTY_POINT"

// Main serves, and ends the process, if it was begun by Mount. A test's TestMain calls
// it first.
func Main() {
	if os.Getenv(places) == "" {
		return
	}
	if err := run(os.Getenv(places), os.Getenv(point)); err != nil {
		fmt.Fprintln(os.Stderr, "faulty:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// said is a line that answers a plan.
type said struct {
	Asked int
	Err   string
}

func run(dir, point string) error {
	out := json.NewEncoder(os.Stdout)
	s, err := mount(dir, point)
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
			var p Plan
			if err := in.Decode(&p); err != nil {
				told <- nil // who asked has ended
				return
			}
			if err := out.Encode(said{Asked: s.set(p.fault())}); err != nil {
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

// Server is a process that shows a folder at a mount point.
type Server struct {
	point string
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
}

// Mount shows dir at a mount point until Close. It needs the right to mount.
func Mount(dir, at string) (*Server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &Server{point: at, cmd: exec.Command(self)}
	s.cmd.Env, s.cmd.Stderr = append(os.Environ(), places+"="+dir, point+"="+at), os.Stderr
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

// Tell has a lie told from the next question on, and gives how many questions there
// were since the last.
func (s *Server) Tell(p Plan) (asked int, err error) {
	if err := json.NewEncoder(s.in).Encode(p); err != nil {
		return 0, err
	}
	return s.answer()
}

func (s *Server) answer() (int, error) {
	var a said
	err := s.out.Decode(&a)
	if err == nil && a.Err != "" {
		err = errors.New(a.Err)
	}
	return a.Asked, err
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
