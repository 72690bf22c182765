//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// kinds are what a host does to the share that has no agent: first what must be there
// before, then the change. Each is of a file of its own, which is what is told of it.
var kinds = []struct {
	before func(folder, name string) error
	change func(folder, name string) error
}{
	{nil, func(folder, name string) error { return put(filepath.Join(folder, name), "new", os.O_TRUNC) }},
	{
		func(folder, name string) error { return put(filepath.Join(folder, name), "one way", os.O_TRUNC) },
		func(folder, name string) error { return put(filepath.Join(folder, name), "another", os.O_TRUNC) },
	},
	{
		func(folder, name string) error { return put(filepath.Join(folder, name), "one way", os.O_TRUNC) },
		func(folder, name string) error {
			aside := filepath.Join(folder, "."+name)
			return errors.Join(put(aside, "replaced", os.O_TRUNC), os.Rename(aside, filepath.Join(folder, name)))
		},
	},
	{
		func(folder, name string) error { return put(filepath.Join(folder, name), "to go", os.O_TRUNC) },
		func(folder, name string) error { return os.Remove(filepath.Join(folder, name)) },
	},
	{
		func(folder, name string) error {
			return put(filepath.Join(folder, "former-"+name), "to move", os.O_TRUNC)
		},
		func(folder, name string) error {
			return os.Rename(filepath.Join(folder, "former-"+name), filepath.Join(folder, name))
		},
	},
	{nil, func(folder, name string) error {
		return put(filepath.Join(folder, "in-"+name, "below", name), "x", os.O_TRUNC)
	}},
}

// prepare makes what the changes need: FOLDER TIMES.
func prepare(w []string) error { return each(w, func(string) error { return nil }, true) }

// foreign changes one file after the other, and tells of each just before, in a line with
// its name, who listens at an address: FOLDER TIMES ADDRESS.
func foreign(w []string) error {
	listener, err := net.Dial("tcp", w[2])
	if err != nil {
		return err
	}
	defer listener.Close()
	return each(w, func(name string) error {
		// At no fixed time of anybody's round.
		time.Sleep(400*time.Millisecond + time.Duration(len(name)*7919+int(name[len(name)-1])*104729)%300*time.Millisecond)
		_, err := fmt.Fprintln(listener, name)
		return err
	}, false)
}

func each(w []string, first func(name string) error, before bool) error {
	times, err := strconv.Atoi(w[1])
	for i := 0; i < times && err == nil; i++ {
		kind := kinds[i%len(kinds)]
		name, do := fmt.Sprintf("foreign%03d", i), kind.change
		if before {
			do = kind.before
		}
		if err = first(name); err == nil && do != nil {
			err = do(filepath.Join(w[0], strconv.Itoa(i%8)), name)
		}
	}
	return err
}

// mostRefused is how long whoever deploys may be refused a step.
const mostRefused = 2 * time.Second

// remake writes into a folder, removes it with all that is in it, makes it again and renames
// the folder above it to and fro, as one that deploys does: FOLDER TIMES. It says how often
// it could not at once; that it could not for long is an error.
func remake(w []string) error {
	times, err := strconv.Atoi(w[1])
	above := filepath.Dir(w[0])
	var failed []error
	longest := time.Duration(0)
	for i := 0; i < times && err == nil; i++ {
		err = put(filepath.Join(w[0], "store"), "x", os.O_TRUNC)
		time.Sleep(300 * time.Millisecond) // whoever listens does so again
		for _, do := range []func() error{
			func() error { return os.RemoveAll(w[0]) },
			func() error { return os.MkdirAll(w[0], 0o755) },
			func() error { return os.Rename(above, above+"-aside") },
			func() error { return os.Rename(above+"-aside", above) },
		} {
			err, begun := do(), time.Now()
			if err != nil {
				failed = append(failed, err)
			}
			for err != nil && time.Since(begun) < 5*mostRefused { // how long is worth knowing
				time.Sleep(10 * time.Millisecond)
				err = do()
				longest = max(longest, time.Since(begun))
			}
			if err != nil {
				return errors.Join(append(failed, err)...)
			}
		}
	}
	fmt.Printf("%d of %d failed, for %v at most\n", len(failed), 4*times, longest.Round(time.Millisecond))
	for _, one := range failed {
		fmt.Println(one)
	}
	if longest > mostRefused {
		return fmt.Errorf("refused for %v", longest)
	}
	return err
}
