package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// canSurvey: all descendants can be found.
const canSurvey = true

// An ident names a process for ever: numbers are used again, births are not.
type ident struct {
	pid  int
	born uint64 // ticks since boot
}

// A process is one line of /proc.
type process struct {
	ident
	parent, group, session int
	state                  byte
	dead                   bool // and nobody has waited for it yet
}

// processes lists what runs on the host.
func processes() ([]process, error) {
	all, err := census()
	return slices.DeleteFunc(all, func(p process) bool { return p.dead }), err
}

// census lists the dead, too.
func census() ([]process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	out := make([]process, 0, len(names))
	for _, name := range slices.Backward(names) { // the newest first: they may not be there for long
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := readStat(pid); ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// readProcess tells about a living process.
func readProcess(pid int) (p process, ok bool) {
	p, ok = readStat(pid)
	return p, ok && !p.dead
}

// readStat reads /proc/PID/stat.
func readStat(pid int) (p process, ok bool) {
	var text [512]byte
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return p, false
	}
	n, err := unix.Read(fd, text[:])
	unix.Close(fd)
	if err != nil || n <= 0 {
		return p, false
	}
	// The name stands in parentheses and may contain any byte but the last one.
	_, rest, ok := bytes.Cut(text[max(bytes.LastIndexByte(text[:n], ')'), 0):n], []byte(" "))
	if !ok {
		return p, false
	}
	fields := bytes.Fields(rest)
	if len(fields) < 20 {
		return p, false
	}
	number := func(i int) int { v, _ := strconv.Atoi(string(fields[i])); return v }
	p = process{
		ident: ident{pid: pid, born: uint64(number(19))},
		state: fields[0][0], parent: number(1), group: number(2), session: number(3),
	}
	// A zombie with more than one thread is alive: only its first thread has ended.
	p.dead = p.state == 'X' || p.state == 'Z' && number(17) <= 1
	return p, true
}

// signal reaches this process or none, never one that got its number later.
func (p ident) signal(sig syscall.Signal) error {
	if p.pid <= 1 || p.pid == os.Getpid() {
		return fmt.Errorf("process %d is never signalled", p.pid)
	}
	fd, err := unix.PidfdOpen(p.pid, 0)
	if errors.Is(err, syscall.ENOSYS) {
		if now, ok := readProcess(p.pid); !ok || now.born != p.born {
			return syscall.ESRCH
		}
		return syscall.Kill(p.pid, sig)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if now, ok := readProcess(p.pid); !ok || now.born != p.born {
		return syscall.ESRCH
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

// environ is what a process was started with, as far as we may read it.
func environ(pid int) map[string]string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return nil // gone, or another user's
	}
	env := make(map[string]string)
	for v := range strings.SplitSeq(string(text), "\x00") {
		if name, value, ok := strings.Cut(v, "="); ok && strings.HasPrefix(name, "COTERIE_") {
			env[name] = value
		}
	}
	return env
}

// ownMark tells this supervisor from all others, also of other containers and
// of the past, in the environment of what it runs.
func ownMark() (string, error) {
	self, ok := readProcess(os.Getpid())
	if !ok {
		return "", errors.New("supervisor: /proc is not there")
	}
	space, err := pidSpace()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d-%d-%s", self.pid, self.born, space), nil
}

func pidSpace() (string, error) {
	link, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", err
	}
	return strings.Trim(strings.TrimPrefix(link, "pid:"), "[]"), nil
}

// isDead tells that a mark is of a supervisor of this host that lives no more.
// Of those in other containers it knows nothing, so they count as alive.
func isDead(mark, space string) bool {
	var p ident
	var where string
	if n, err := fmt.Sscanf(strings.ReplaceAll(mark, "-", " "), "%d %d %s", &p.pid, &p.born, &where); n != 3 || err != nil {
		return false
	}
	if where != space {
		return false
	}
	if now, ok := readProcess(p.pid); ok {
		return now.born != p.born
	}
	// /proc may hide other users' processes; signals know them all.
	return errors.Is(syscall.Kill(p.pid, 0), syscall.ESRCH)
}
