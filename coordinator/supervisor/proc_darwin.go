package supervisor

import (
	"errors"
	"os"
	"strconv"
	"syscall"
)

// canSurvey: without /proc only process groups are known.
const canSurvey = false

type ident struct {
	pid  int
	born uint64
}

type process struct {
	ident
	parent, group, session int
	state                  byte
	dead                   bool
}

func processes() ([]process, error) { return nil, nil }

func census() ([]process, error) { return nil, nil }

func ownChildren() ([]int, bool) { return nil, false }

func readStat(pid int) (process, bool) { return readProcess(pid) }

func readProcess(pid int) (process, bool) {
	err := syscall.Kill(pid, 0)
	return process{ident: ident{pid: pid}}, err == nil || errors.Is(err, syscall.EPERM)
}

func (p ident) signal(sig syscall.Signal) error { return syscall.Kill(p.pid, sig) }

func environ(int) map[string]string { return nil }

func ownMark() (string, error) { return strconv.Itoa(os.Getpid()), nil }

func pidSpace() (string, error) { return "", nil }

func isDead(string, string) bool { return false }

var errNoCgroup = errors.New("no cgroups on this operating system")

type cgroups struct{ dir string }

func openCgroups(string) (*cgroups, error) { return nil, errNoCgroup }
func ownCgroup() (string, error)           { return "", errNoCgroup }
func killCgroup(string) error              { return errNoCgroup }
func removeCgroup(string) error            { return errNoCgroup }
func (c *cgroups) make() (*cgroup, error)  { return nil, errNoCgroup }
func (c *cgroups) close() error            { return nil }

const cgroupPrefix = "coterie."

type cgroup struct{}

func (c *cgroup) descriptor() int          { return -1 }
func (c *cgroup) kill() error              { return errNoCgroup }
func (c *cgroup) populated() (bool, error) { return false, errNoCgroup }
func (c *cgroup) holds(string) bool        { return false }

func cgroupOf(string) (string, error) { return "", errNoCgroup }
func (c *cgroup) close() error        { return nil }
