//go:build linux

// Command tool is what works inside of a guest of the rig, and on the host beside
// it: the first process of a guest, the one that runs commands there, a kernel
// NFS server without the programs that usually set one up, and the small steps
// of the conformance suite. One static file, so that a guest needs nothing else.
package main

import (
	"errors"
	"fmt"
	"os"
)

// verbs are what the tool does. The first process of a guest is called init.
var verbs = map[string]func(args []string) error{
	"serve":  func([]string) error { return serve() },
	"in":     in,
	"mount":  mount,
	"umount": umount,
	"nfsd":   nfsd,
	"do":     do,
	"claims": claims,
	"hold":   hold,
	"sftp":   sftp,
}

// exit is an exit code that is not a mistake.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	if os.Getpid() == 1 {
		boot()
	}
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "tool: no such verb")
		os.Exit(2)
	}
	err := verbs[os.Args[1]](os.Args[2:])
	if code, ok := errors.AsType[exit](err); ok {
		os.Exit(int(code))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
		os.Exit(1)
	}
}
