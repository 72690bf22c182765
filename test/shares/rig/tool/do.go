//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// do does small things to files, one after the other: "do write FILE TEXT , rename A B".
func do(args []string) error {
	for step := range strings.SplitSeq(strings.Join(args, "\x00"), "\x00,\x00") {
		words := strings.Split(step, "\x00")
		f := steps[words[0]]
		if f == nil {
			return fmt.Errorf("no step %q", words[0])
		}
		if err := f(words[1:]); err != nil {
			return fmt.Errorf("%s: %w", words[0], err)
		}
	}
	return nil
}

var steps = map[string]func([]string) error{
	"write":  func(w []string) error { return put(w[0], w[1], os.O_TRUNC) },
	"append": func(w []string) error { return put(w[0], w[1], os.O_APPEND) },
	"rename": func(w []string) error { return os.Rename(w[0], w[1]) },
	"mkdir":  func(w []string) error { return os.MkdirAll(w[0], 0o755) },
	"rm":     func(w []string) error { return os.RemoveAll(w[0]) },
	"rmdir":  func(w []string) error { return os.Remove(w[0]) },
	"chmod":  func(w []string) error { return os.Chmod(w[0], 0o777) },
	"copy":   func(w []string) error { return duplicate(w[0], w[1]) },
	"wait": func(w []string) error {
		d, err := time.ParseDuration(w[0])
		time.Sleep(d)
		return err
	},
	"fill": func(w []string) error { // FOLDER NUMBER
		n, err := strconv.Atoi(w[1])
		for i := 0; i < n && err == nil; i++ {
			err = put(filepath.Join(w[0], fmt.Sprintf("file%04d", i)), "content "+strconv.Itoa(i), os.O_TRUNC)
		}
		return err
	},
	"cat": func(w []string) error {
		text, err := os.ReadFile(w[0])
		fmt.Printf("%s", text)
		return err
	},
	"ls": func(w []string) error {
		names, err := os.ReadDir(w[0])
		for _, n := range names {
			fmt.Println(n.Name())
		}
		return err
	},
	"clock": func(w []string) error { // of this machine, ahead by so much of what it is
		d, err := time.ParseDuration(w[0])
		if err != nil {
			return err
		}
		now := unix.NsecToTimeval(time.Now().Add(d).UnixNano())
		return unix.Settimeofday(&now)
	},
	"slowly":   slowly,
	"prepare":  prepare,
	"foreign":  foreign,
	"remake":   remake,
	"overhear": overhear,
	"replace":  replace,
	"show":     show,
	"whole":    whole,
	"now": func([]string) error {
		fmt.Println(time.Now().UnixNano())
		return nil
	},
}

// put writes a file as an application does, and says in whole nanoseconds of this
// machine's clock when that was done.
func put(name, text string, how int) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|how, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

// duplicate copies the files of a folder, as a snapshot has them.
func duplicate(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for try := 0; errors.Is(err, unix.ESTALE) && try < 100; try++ { // replaced just now, which GlusterFS lets one see
			text, err = os.ReadFile(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the nodes are at work
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		return errors.Join(err, put(filepath.Join(to, name), string(text), os.O_TRUNC))
	})
}

// slowly writes a file in pieces, a line each 50 ms: FILE LINES.
func slowly(w []string) error {
	lines, err := strconv.Atoi(w[1])
	if err != nil {
		return err
	}
	f, err := os.Create(w[0])
	if err != nil {
		return err
	}
	for i := range lines {
		if _, err := fmt.Fprintln(f, "line", i); err != nil {
			return errors.Join(err, f.Close())
		}
		if err := f.Sync(); err != nil {
			return errors.Join(err, f.Close())
		}
		time.Sleep(50 * time.Millisecond)
	}
	return f.Close()
}

// hold takes a lock and keeps it until it is killed: "hold flock|fcntl FILE".
// It says "held", or why not.
func hold(args []string) error {
	f, err := os.OpenFile(args[1], os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if args[0] == "flock" {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	} else {
		err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
	}
	if err != nil {
		fmt.Println("refused:", err)
		return exit(5)
	}
	fmt.Println("held")
	if len(args) > 2 { // only to try
		return nil
	}
	time.Sleep(time.Hour)
	return nil
}
