//go:build linux

package cluster

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// children are the process ids of the children of a process.
func children(pid int) []int {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil // it has gone
	}
	var pids []int
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			continue
		}
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func descendants(pid int) []int {
	var all []int
	for _, child := range children(pid) {
		all = append(append(all, child), descendants(child)...)
	}
	return all
}

func commandLine(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return string(bytes.ReplaceAll(text, []byte{0}, []byte{' '}))
}

// Gone tells whether a process has ended; one that waits to be reaped has.
func Gone(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	return stateIn(text) == 'Z' || stateIn(text) == 'X'
}

// Monotonic is the clock that all processes of this machine share.
func Monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // this clock is always there
	}
	return ts.Nano()
}

// FreezeTree stops a process and all that descends from it, and returns what
// lets them go on. When it returns they all stand still.
func FreezeTree(pid int) (thaw func()) {
	// A signal is only on its way when kill returns, and lists of children are
	// complete only of processes that stand still: look again until nothing new
	// is found.
	var stopped []int
	for patience := 10000; ; patience-- {
		still := true
		for _, one := range append([]int{pid}, descendants(pid)...) {
			if standsStill(one) && slices.Contains(stopped, one) {
				continue
			}
			// Also one that was told before: its parent may have had it go on since.
			still = false
			if syscall.Kill(one, syscall.SIGSTOP) == nil && !slices.Contains(stopped, one) {
				stopped = append(stopped, one)
			}
		}
		if still {
			break
		}
		if patience == 0 {
			panic(fmt.Sprintf("process %d, or what descends from it, does not stand still", pid))
		}
		time.Sleep(time.Millisecond)
	}
	return func() {
		for _, pid := range slices.Backward(stopped) {
			_ = syscall.Kill(pid, syscall.SIGCONT) // it may have been killed meanwhile
		}
	}
}

// standsStill tells whether every thread of a process has stopped, or has ended,
// or waits inside the kernel: that one stops before it returns to the program. A
// thread that forked waits like this for its child's exec, for good if the child
// has stopped before.
func standsStill(pid int) bool {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return true // it has gone
	}
	return !slices.ContainsFunc(tasks, func(task os.DirEntry) bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if err != nil {
			return false
		}
		return !strings.ContainsRune("TtZXD", rune(stateIn(text)))
	})
}

// stateIn is the letter of a task's state in its stat file, behind its name in
// brackets, which may itself have brackets.
func stateIn(stat []byte) byte {
	i := bytes.LastIndex(stat, []byte(") "))
	if i < 0 || i+2 >= len(stat) {
		return 'X' // it ended while it was read
	}
	return stat[i+2]
}
