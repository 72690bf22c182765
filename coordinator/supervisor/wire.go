//go:build linux || darwin

package supervisor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// version is that of the messages. Both ends are normally the same file, even
// across an upgrade in place, because the supervisor starts the agent from its
// own executable; the check is for whoever wires it differently.
const version = 2

// maxMessage bounds a message; command lines and environments are small.
const maxMessage = 256 << 10

// maxWill bounds a last will, well below that.
const maxWill = 64 << 10

type op string

const (
	opHello    op = "hello"    // supervisor: who I am and what I can
	opExtend   op = "extend"   // agent: my authority lasts until Deadline, then TERM, and KILL after Grace, but for what outlasts it
	opExtended op = "extended" // supervisor: understood
	opSession  op = "session"  // agent: what to say when I am dead
	opFarewell op = "farewell" // agent: I leave by myself, say nothing
	opLeave    op = "leave"    // agent: my side of the line is about to end
	opNoted    op = "noted"    // supervisor: session, farewell or leave number N understood
	opStart    op = "start"    // agent: run this; the supervisor hands it on to a stage
	opStarted  op = "started"
	opFailed   op = "failed" // supervisor or stage: it does not run, and will not
	opSignal   op = "signal"
	opExited   op = "exited" // supervisor: the whole tree is gone
	opStuck    op = "stuck"  // supervisor: killed, and still there
	opReady    op = "ready"  // stage: waiting for a start
)

// A message is one JSON line. Descriptors travel beside its first byte.
type message struct {
	Op       op             `json:"op"`
	ID       string         `json:"id,omitempty"`
	N        int            `json:"n,omitempty"`
	Hello    *hello         `json:"hello,omitempty"`
	Deadline time.Duration  `json:"deadline,omitempty"` // time since boot
	Grace    time.Duration  `json:"grace,omitempty"`
	Session  *session       `json:"session,omitempty"`
	Start    *start         `json:"start,omitempty"`
	PID      int            `json:"pid,omitempty"`
	Born     uint64         `json:"born,omitempty"`
	Signal   syscall.Signal `json:"signal,omitempty"`
	Exit     *Exit          `json:"exit,omitempty"`
	Stuck    []StuckProcess `json:"stuck,omitempty"`
	Fault    *fault         `json:"fault,omitempty"`
	FDs      int            `json:"fds,omitempty"`
}

type hello struct {
	Version int    `json:"version"`
	PID     int    `json:"pid"`
	Mark    string `json:"mark"`             // value of COTERIE_GUARD in all that the supervisor runs
	Cgroup  string `json:"cgroup,omitempty"` // directory above the runs' cgroups
}

// session is a Session as it travels.
type session struct {
	Node        string `json:"node"`
	Incarnation int64  `json:"incarnation"`
	Will        []raw  `json:"will,omitempty"`
}

// start is a Command as it travels. The descriptors come in this order.
type start struct {
	Argv     []raw       `json:"argv"`
	Dir      raw         `json:"dir,omitempty"`
	Env      []raw       `json:"env,omitempty"`
	User     *credential `json:"user,omitempty"`
	Limits   Limits      `json:"limits"`
	Output   bool        `json:"output,omitempty"`
	Errors   bool        `json:"errors,omitempty"`
	Progress bool        `json:"progress,omitempty"`
	Program  bool        `json:"program,omitempty"`
	Input    bool        `json:"input,omitempty"`
	Outlasts bool        `json:"outlasts,omitempty"`
	Parent   int         `json:"parent,omitempty"` // for the stage: exit if this is not its parent any more
}

func (s *start) fds() int {
	n := 0
	for _, given := range []bool{s.Output, s.Errors, s.Progress, s.Program, s.Input} {
		if given {
			n++
		}
	}
	return n
}

// raw is a string of any bytes: file names need not be UTF-8, JSON must be.
type raw string

func (r raw) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, []byte(r)), nil
}

func (r *raw) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.AppendDecode(nil, text)
	*r = raw(b)
	return err
}

func toRaw(in []string) []raw {
	out := make([]raw, len(in))
	for i, s := range in {
		out[i] = raw(s)
	}
	return out
}

func fromRaw(in []raw) []string {
	out := make([]string, len(in))
	for i, r := range in {
		out[i] = string(r)
	}
	return out
}

type credential struct {
	UID    int   `json:"uid"`
	GID    int   `json:"gid"`
	Groups []int `json:"groups"`
}

// A fault is an error that crosses the line.
type fault struct {
	Kind  string        `json:"kind"` // "authority", "duplicate", or "start" with what follows
	Doing string        `json:"doing,omitempty"`
	Errno syscall.Errno `json:"errno,omitempty"`
	Text  string        `json:"text,omitempty"`
}

func (f *fault) err(id string) error {
	switch f.Kind {
	case "authority":
		return fmt.Errorf("start %s: %w", id, ErrNoAuthority)
	case "duplicate":
		return fmt.Errorf("start %s: %w", id, ErrDuplicate)
	}
	if f.Errno == 0 {
		return &StartError{ID: id, Doing: f.Doing, Err: errors.New(f.Text)}
	}
	return &StartError{ID: id, Doing: f.Doing, Err: f.Errno}
}

// A line carries messages over one end of a Unix socket pair. Sending and
// receiving each belong to one goroutine.
type line struct {
	read  func(p, oob []byte) (n, oobn int, err error)
	write func(p, oob []byte) (n int, err error)
	got   []byte // received and not yet taken
	fds   []int
	piece [4 << 10]byte
}

func overConn(c *net.UnixConn) *line {
	return &line{
		read: func(p, oob []byte) (int, int, error) {
			n, oobn, _, _, err := c.ReadMsgUnix(p, oob)
			return n, oobn, err
		},
		write: func(p, oob []byte) (int, error) {
			n, _, err := c.WriteMsgUnix(p, oob, nil)
			return n, err
		},
	}
}

func (l *line) send(m message, fds ...int) error {
	m.FDs = len(fds)
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("send %s: %w", m.Op, err)
	}
	if len(text) >= maxMessage {
		return fmt.Errorf("send %s: %d bytes: %w", m.Op, len(text), ErrTooLarge)
	}
	text = append(text, '\n')
	var oob []byte
	if len(fds) > 0 {
		oob = syscall.UnixRights(fds...)
	}
	for len(text) > 0 {
		n, err := l.write(text, oob)
		if err != nil {
			return fmt.Errorf("send %s: %w", m.Op, err)
		}
		text, oob = text[n:], nil
	}
	return nil
}

// receive returns the next message and the descriptors that came with it,
// which are the caller's to close.
func (l *line) receive() (message, []int, error) {
	var oob [128]byte
	for {
		if i := bytes.IndexByte(l.got, '\n'); i >= 0 {
			return l.take(i)
		}
		if len(l.got) > maxMessage {
			return message{}, nil, ErrTooLarge
		}
		n, oobn, err := l.read(l.piece[:], oob[:])
		if err != nil {
			return message{}, nil, err
		}
		if n == 0 && oobn == 0 {
			return message{}, nil, io.EOF
		}
		l.got = append(l.got, l.piece[:n]...)
		if err := l.takeRights(oob[:oobn]); err != nil {
			return message{}, nil, err
		}
	}
}

func (l *line) take(end int) (message, []int, error) {
	var m message
	err := json.Unmarshal(l.got[:end], &m)
	l.got = append(l.got[:0], l.got[end+1:]...)
	if err != nil {
		return m, nil, fmt.Errorf("receive: %w", err)
	}
	if m.FDs < 0 || m.FDs > len(l.fds) {
		return m, nil, fmt.Errorf("receive %s: %d descriptors announced, %d came", m.Op, m.FDs, len(l.fds))
	}
	fds := l.fds[:m.FDs:m.FDs]
	l.fds = l.fds[m.FDs:]
	return m, fds, nil
}

func (l *line) takeRights(oob []byte) error {
	if len(oob) == 0 {
		return nil
	}
	controls, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("receive descriptors: %w", err)
	}
	for _, c := range controls {
		fds, err := syscall.ParseUnixRights(&c)
		if err != nil {
			return fmt.Errorf("receive descriptors: %w", err)
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
		}
		l.fds = append(l.fds, fds...)
	}
	return nil
}

// drop closes descriptors that came and were never taken.
func (l *line) drop() {
	closeAll(l.fds)
	l.fds = nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}

// pair makes a socket pair whose ends no child inherits by accident.
func pair() (near, far int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("socketpair: %w", err)
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	return fds[0], fds[1], nil
}

// asConn takes fd over, if it is a socket: a wrong number may be somebody's file.
func asConn(fd int) (*net.UnixConn, error) {
	if _, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE); err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	f := os.NewFile(uintptr(fd), "line")
	defer f.Close() // FileConn duplicates it
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("descriptor %d is not a Unix socket", fd)
	}
	return u, nil
}
