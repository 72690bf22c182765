//go:build !linux

package migrate

import (
	"errors"
	"io/fs"
	"math"
	"os"
)

// On other systems there are no owners, attributes and holes that could be asked
// for in one way, nor /proc: what is lost by that is told by Make.

type facts struct {
	uid, gid     uint32
	links        uint64
	inode, dev   uint64
	changedSec   int64
	changedNsec  int64
	blocks       int64
	systemOwners bool
}

func factsOf(info fs.FileInfo) facts {
	return facts{links: 1, blocks: math.MaxInt64, changedSec: info.ModTime().Unix()}
}

func mayRead(string) bool                             { return true }
func hasAttributes(string) bool                       { return false }
func bearsAttributes(string) (bool, error)            { return false, nil }
func setAttribute(string) error                       { return nil }
func copyAttributes(_, _ *os.File) error              { return nil }
func sameAttributes(_, _ *os.File) (bool, error)      { return true, nil }
func room(string) (bytes, inodes int64, err error)    { return math.MaxInt64, -1, nil }
func exchange(_, _ string) error                      { return errors.ErrUnsupported }
func copyRange(_, _ *os.File, _ int64) (int64, error) { return 0, errors.ErrUnsupported }
func nextData(f *os.File, at int64) (begin, end int64, err error) {
	info, err := f.Stat()
	if err != nil || at >= info.Size() {
		return -1, -1, err
	}
	return at, info.Size(), nil
}
func hasList(string) bool      { return false }
func setList(string) error     { return errors.ErrUnsupported }
func forgetLists(string) error { return nil }
func syncAll(string) error     { return nil }
func forget(*os.File) error    { return nil }
func lock(*os.File) error      { return nil }
func isAlive(pid int) bool     { p, err := os.FindProcess(pid); return err == nil && p != nil }

// Machine is the identity of this host.
func Machine() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// A Holder is a process that has files open.
type Holder struct {
	PID     int
	Command string
	Paths   []string
}

func holders([]string) (found []Holder, blind bool, err error) { return nil, true, nil }
