//go:build killpoints && linux

package main

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// boundary ends this process as kill -9 does, at the effect whose number
// COTERIE_KILL_AT names (or stops it, with COTERIE_KILL_STOPS), and lists the effects in the file COTERIE_KILL_LIST.
func boundary() func(string) {
	at, err := strconv.ParseInt(os.Getenv("COTERIE_KILL_AT"), 10, 64)
	if err != nil {
		at = -1
	}
	var n atomic.Int64
	return func(name string) {
		i := n.Add(1)
		if list := os.Getenv("COTERIE_KILL_LIST"); list != "" {
			f, err := os.OpenFile(list, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(f, "%d %s\n", i, name)
			if err := f.Close(); err != nil {
				panic(err)
			}
		}
		if i != at {
			return
		}
		if os.Getenv("COTERIE_KILL_STOPS") != "" {
			if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
				panic(err)
			}
			return
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			panic(err)
		}
		select {}
	}
}

// byRenames has names exchanged as on a file system that cannot do it in one step.
func byRenames() bool { return os.Getenv("COTERIE_BY_RENAMES") != "" }

// filesASecond is how quickly an agent reads back what was moved.
func filesASecond() int64 {
	if n, err := strconv.ParseInt(os.Getenv("COTERIE_READ_FILES"), 10, 64); err == nil {
		return n
	}
	return readFiles
}

// together has all done in the process that a test looks at and kills.
func together() bool { return os.Getenv("COTERIE_KILL_AT") != "" }

// apartPatience is short where a test waits for its end.
func apartPatience() (still, answers time.Duration) {
	if os.Getenv("COTERIE_HURRY") != "" {
		return 2 * time.Second, 2 * time.Second
	}
	return apartStill, apartAnswers
}
