package supervisor

import (
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// selfExe is the running program, even when an upgrade has replaced its file.
const selfExe = "/proc/self/exe"

// BootTime is the time since the host booted. It goes on while the host is
// suspended, nobody can set it, and it is the same for all processes of a host.
func BootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("supervisor: CLOCK_BOOTTIME: %v", err)) // exists since Linux 2.6.39
	}
	return time.Duration(ts.Nano())
}

// adoptOrphans makes the calling process the parent of all descendants whose
// parent dies, so that none can leave the tree.
func adoptOrphans() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

func forbidPrivileges() error {
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// dieWithParent is repeated after a change of user, which clears it.
func dieWithParent(parent int) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if os.Getppid() != parent {
		return syscall.ESRCH // it died before the line above
	}
	return nil
}

func closeOnExecFrom(first uint) error {
	err := unix.CloseRange(first, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	return markOpenFiles("/proc/self/fd", int(first)) // Linux before 5.11, or a seccomp filter
}

// childAttr ties a child to the calling thread: sig is sent to it when that dies.
func childAttr(sig syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: sig}
}

func bornInto(attr *syscall.SysProcAttr, c *cgroup) {
	if c != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, c.fd
	}
}

// ticks is the unit in which /proc tells births. The kernel shows 100 a second
// on everything that Go runs on.
func ticks(d time.Duration) uint64 { return uint64(d / (10 * time.Millisecond)) }

// groupLives is asked where there is no survey; there is one.
func groupLives(int) bool { return false }

func maxRSS(r *syscall.Rusage) int64 { return r.Maxrss << 10 }

// An alarm rings at an instant of BootTime. It costs nothing while it waits.
type alarm struct {
	C    <-chan struct{}
	fd   int
	file *os.File
	done chan struct{}
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("timerfd: %w", err)
	}
	c := make(chan struct{}, 1)
	a := &alarm{C: c, fd: fd, file: os.NewFile(uintptr(fd), "alarm"), done: make(chan struct{})}
	go func() {
		defer close(a.done)
		var count [8]byte
		for {
			if _, err := a.file.Read(count[:]); err != nil {
				return // closed
			}
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}()
	return a, nil
}

// set arms the alarm; zero disarms it. An instant that has passed rings at once.
func (a *alarm) set(at time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(at))}
	if err := unix.TimerfdSettime(a.fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		return fmt.Errorf("set the alarm: %w", err)
	}
	return nil
}

func (a *alarm) close() {
	a.file.Close()
	<-a.done
}
