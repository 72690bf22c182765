//go:build unix

package fork

import "syscall"

// maxFiles bounds the descriptors that a program is given.
const maxFiles = 8

// A Program is what the child becomes: the leader of a session and group of its
// own, that the kernel kills when the thread that started it ends.
type Program struct {
	Paths  []string // of which the first is executed
	Search bool     // or the first that is there and may be executed
	Argv   []string
	Env    []string
	Dir    string
	Files  []int   // become its descriptors 0, 1, 2 and so on; all others are closed
	User   *User   // nil is that of this process
	Limits []Limit // set last
	Cgroup int     // descriptor of the directory that it is born into; none if negative
}

// A User is whose rights a program has.
type User struct {
	UID, GID int
	Groups   []int
}

// A Limit is one of setrlimit(2).
type Limit struct {
	Resource int
	syscall.Rlimit
}

// A Step is how far a child came.
type Step uint32

// The steps in their order.
const (
	None Step = iota
	Bind
	SetFiles
	SetUser
	Chdir
	SetLimits
	Find // no path of several
	Exec
)

// A Failure is why a child has not become its program.
type Failure struct {
	Step  Step
	Errno syscall.Errno
}
