package supervisor

import (
	"bytes"
	"os"
	"slices"
	"strconv"
)

// ownChildren lists whose parent this process is, the dead that nobody has waited
// for among them. It is not ok where that cannot be told for sure.
//
// The kernel's list of a thread's children is complete as long as none of them is
// waited for meanwhile: others only come to its end. This is said by the loop that
// waits for them. What a thread leaves behind goes to another one, so the threads
// must be the same afterwards. See get_children_pid in Linux, fs/proc/array.c.
func ownChildren() (pids []int, ok bool) {
	before, err := ownThreads()
	if err != nil {
		return nil, false
	}
	for _, thread := range before {
		text, err := os.ReadFile("/proc/self/task/" + thread + "/children")
		if err != nil {
			return nil, false // a thread that ended, or a kernel without CONFIG_PROC_CHILDREN
		}
		for word := range bytes.FieldsSeq(text) {
			pid, err := strconv.Atoi(string(word))
			if err != nil {
				return nil, false
			}
			pids = append(pids, pid)
		}
	}
	after, err := ownThreads()
	return pids, err == nil && slices.Equal(before, after)
}

func ownThreads() ([]string, error) {
	dir, err := os.Open("/proc/self/task")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}
