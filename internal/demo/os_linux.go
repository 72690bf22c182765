package demo

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

const supported = true

const (
	sigStop = syscall.SIGSTOP
	sigCont = syscall.SIGCONT
)

// markEnv marks every process of a demo: FOLDER/NODE. It does not begin like our
// configuration's variables, which actions may not set.
const markEnv = "DEMO_OF_COTERIE"

// process is one that carries a mark.
type process struct {
	pid    int
	parent int
	node   string // the part of the mark after the folder
	argv   []string
	rank   int // what it is to its node, once known
}

// marked finds the processes of the demo in a folder.
func marked(dir string) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	prefix := []byte(markEnv + "=" + dir + "/")
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if p, ok := readProcess(pid, prefix); ok {
			found = append(found, p)
		}
	}
	return found, nil
}

// readProcess reads what /proc tells; a process that has gone meanwhile, or that
// is another user's, is none of ours.
func readProcess(pid int, prefix []byte) (process, bool) {
	at := filepath.Join("/proc", strconv.Itoa(pid))
	env, err := os.ReadFile(filepath.Join(at, "environ"))
	if err != nil {
		return process{}, false
	}
	p := process{pid: pid}
	for variable := range bytes.SplitSeq(env, []byte{0}) {
		if node, ok := bytes.CutPrefix(variable, prefix); ok {
			p.node = string(node)
		}
	}
	if p.node == "" {
		return process{}, false
	}
	stat, errStat := os.ReadFile(filepath.Join(at, "stat"))
	argv, errArgv := os.ReadFile(filepath.Join(at, "cmdline"))
	if errStat != nil || errArgv != nil {
		return process{}, false
	}
	// The name stands in parentheses and may hold anything.
	_, after, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	fields := strings.Fields(after)
	if len(fields) < 2 || fields[0] == "Z" {
		return process{}, false
	}
	if p.parent, err = strconv.Atoi(fields[1]); err != nil {
		return process{}, false
	}
	p.argv = strings.Split(strings.TrimSuffix(string(argv), "\x00"), "\x00")
	return p, true
}

// signalTo sends a signal; a process that has ended needs none.
func signalTo(pid int, s syscall.Signal) error {
	if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %v to process %d: %w", s, pid, err)
	}
	return nil
}

// ownGroup keeps the terminal's signals from a child: they are ours to pass on.
// The kernel kills it when the thread that started it ends.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// ownSession takes a child out of reach of whatever ends the terminal or us.
func ownSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// child is a process that was started on a thread of its own, which lives as
// long: the parent-death signal comes when the thread ends, not the process.
type child struct {
	pid   int
	ended chan struct{} // closed when it has been reaped
	err   error         // what Wait said; read after ended
}

func startChild(cmd *exec.Cmd) (*child, error) {
	c := &child{ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
		}
		close(c.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	c.pid = cmd.Process.Pid
	return c, nil
}

// lockFile locks a file for as long as it is open; false when somebody has it.
func lockFile(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// mine tells whether a file belongs to who runs this.
func mine(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// deafen lets nothing but KILL end this process.
func deafen() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE}
}
