//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// claims tries in a folder what applications rely upon, and says what became of each,
// as JSON: "yes", or why not.
func claims(args []string) error {
	dir := filepath.Join(args[0], "claims")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	found := map[string]string{}
	try := func(what string, f func() error) {
		found[what] = "yes"
		if err := f(); err != nil {
			found[what] = last(err)
		}
	}
	try("hard links are counted", func() error {
		if err := errors.Join(put(at("one"), "x", os.O_TRUNC), os.Link(at("one"), at("two"))); err != nil {
			return err
		}
		var s unix.Stat_t
		if err := unix.Stat(at("one"), &s); err != nil {
			return err
		}
		if s.Nlink != 2 {
			return fmt.Errorf("nlink is %d", s.Nlink)
		}
		return nil
	})
	try("symbolic links", func() error { return os.Symlink("one", at("link")) })
	try("FIFOs", func() error { return unix.Mkfifo(at("fifo"), 0o600) })
	try("modes are kept", func() error {
		if err := errors.Join(put(at("mode"), "x", os.O_TRUNC), os.Chmod(at("mode"), 0o640)); err != nil {
			return err
		}
		info, err := os.Stat(at("mode"))
		if err == nil && info.Mode().Perm() != 0o640 {
			err = fmt.Errorf("0640 became %04o", info.Mode().Perm())
		}
		return err
	})
	try("names differ by case", func() error {
		if err := errors.Join(put(at("Case"), "upper", os.O_TRUNC), put(at("case"), "lower", os.O_TRUNC)); err != nil {
			return err
		}
		text, err := os.ReadFile(at("Case"))
		if err == nil && string(text) != "upper" {
			err = errors.New("one name is the other")
		}
		return err
	})
	try("names of any bytes", func() error { return put(at("latin\xe9\\1"), "x", os.O_TRUNC) })
	try("rename over a file that is open", func() error {
		f, err := os.Create(at("open"))
		if err != nil {
			return err
		}
		err = errors.Join(put(at("new"), "new", os.O_TRUNC), os.Rename(at("new"), at("open")))
		return errors.Join(err, f.Close())
	})
	try("appending", func() error {
		return errors.Join(put(at("log"), "a", os.O_TRUNC), put(at("log"), "b", os.O_APPEND))
	})
	text, err := json.Marshal(found)
	fmt.Println(string(text))
	return err
}

// last is what an error ends with: what the kernel said.
func last(err error) string {
	text := strings.Split(strings.TrimSpace(err.Error()), "\n")[0]
	if i := strings.LastIndex(text, ": "); i >= 0 {
		return text[i+2:]
	}
	return text
}

// replace puts a new file in the place of another, so many times: "replace FILE TIMES".
// watchwhole reads it all the while elsewhere: there must be one whole file each time.
func replace(w []string) error {
	var n int
	if _, err := fmt.Sscan(w[1], &n); err != nil {
		return err
	}
	for i := range n {
		text := strings.Repeat(fmt.Sprintf("%06d\n", i), 1000)
		if err := put(w[0]+".new", text, os.O_TRUNC); err != nil {
			return err
		}
		for tries := 0; ; tries++ {
			err := os.Rename(w[0]+".new", w[0])
			if err == nil {
				break
			}
			if tries > 100 || !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EBUSY) { // SMB: somebody has it open
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return put(w[0]+".done", "x", os.O_TRUNC)
}

// whole reads a file again and again until its ".done" is there, and counts the
// times at which it was not there, or not whole: "whole FILE".
func whole(w []string) error {
	absent, torn, read := 0, 0, 0
	for begun := time.Now(); time.Since(begun) < time.Minute; {
		if _, err := os.ReadDir(filepath.Dir(w[0])); err != nil {
			return err
		}
		if _, err := os.Stat(w[0] + ".done"); err == nil {
			fmt.Println(absent, torn, read)
			return nil
		}
		text, err := os.ReadFile(w[0])
		switch {
		case errors.Is(err, unix.ENOENT):
			absent++
		case err != nil:
			fmt.Fprintln(os.Stderr, err) // ESTALE, EACCES: whoever reads has to ask again
		case len(text) != 7000 || string(text) != strings.Repeat(string(text[:7]), 1000):
			torn++
		default:
			read++
		}
	}
	return errors.New("it was never done")
}
