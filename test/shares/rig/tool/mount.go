//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// mount is mount(2) as it is: no mount.nfs resolves names, no mount.cifs asks for
// a password.
func mount(args []string) error {
	f := flag.NewFlagSet("mount", flag.ContinueOnError)
	kind, options := f.String("t", "", "file system"), f.String("o", "", "options")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != 2 {
		return fmt.Errorf("want a source and a place, got %q", f.Args())
	}
	if err := os.MkdirAll(f.Arg(1), 0o755); err != nil {
		return err
	}
	var flags uintptr
	var rest []string
	for option := range strings.SplitSeq(*options, ",") {
		switch option {
		case "ro":
			flags |= unix.MS_RDONLY
		case "sync":
			flags |= unix.MS_SYNCHRONOUS
		case "bind":
			flags |= unix.MS_BIND
		case "":
		default:
			rest = append(rest, option)
		}
	}
	if err := unix.Mount(f.Arg(0), f.Arg(1), *kind, flags, strings.Join(rest, ",")); err != nil {
		return fmt.Errorf("%s on %s: %w", f.Arg(0), f.Arg(1), err)
	}
	return nil
}

// umount takes away whatever lies at a place, also what is in use.
func umount(args []string) error {
	for _, place := range args {
		if err := unix.Unmount(place, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
	return nil
}
