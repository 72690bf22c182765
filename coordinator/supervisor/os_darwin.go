package supervisor

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// selfExe is empty where the running program has no name of its own.
const selfExe = ""

// BootTime is the time since the host booted; on macOS the monotonic clock
// goes on while the host is suspended.
func BootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(fmt.Sprintf("supervisor: CLOCK_MONOTONIC: %v", err))
	}
	return time.Duration(ts.Nano())
}

// adoptOrphans: macOS has no subreaper; orphans go to launchd.
func adoptOrphans() error { return nil }

func forbidPrivileges() error { return ErrUnsupported }

// dieWithParent: macOS has no parent-death signal; the client kills the groups.
func dieWithParent(parent int) error {
	if os.Getppid() != parent {
		return syscall.ESRCH
	}
	return nil
}

func closeOnExecFrom(first uint) error { return markOpenFiles("/dev/fd", int(first)) }

func childAttr(syscall.Signal) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func bornInto(*syscall.SysProcAttr, *cgroup) {}

func ticks(time.Duration) uint64 { return 0 }

// groupLives tells whether a process group has a living member. Its number may
// have been given away since its leader was reaped; that only delays a report.
func groupLives(pid int) bool { return syscall.Kill(-pid, 0) == nil }

func maxRSS(r *syscall.Rusage) int64 { return r.Maxrss }

// An alarm rings at an instant of BootTime, at most a second late after a
// suspension, because timers stand still in it.
type alarm struct {
	C     chan struct{}
	mu    sync.Mutex // guards at and timer
	at    time.Duration
	timer *time.Timer
}

func newAlarm() (*alarm, error) {
	a := &alarm{C: make(chan struct{}, 1)}
	a.timer = time.AfterFunc(time.Hour, a.look)
	a.timer.Stop()
	return a, nil
}

func (a *alarm) look() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at == 0 {
		return
	}
	if left := a.at - BootTime(); left > 0 {
		a.timer.Reset(min(left, time.Second))
		return
	}
	a.at = 0
	select {
	case a.C <- struct{}{}:
	default:
	}
}

func (a *alarm) set(at time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = at
	a.timer.Stop()
	if at != 0 {
		a.timer.Reset(min(max(at-BootTime(), 0), time.Second))
	}
	return nil
}

func (a *alarm) close() { a.timer.Stop() }
