//go:build unix && !(linux && (amd64 || arm64))

package fork

import (
	"io"
	"os"
	"syscall"
)

// Works tells that Start works here.
func Works() bool { return false }

// Start gives ENOSYS.
func Start(Program) (pid int, report *os.File, err error) { return 0, nil, syscall.ENOSYS }

// Read gives ENOSYS.
func Read(io.Reader) (Failure, error) { return Failure{}, syscall.ENOSYS }

// OpenFiles gives ENOSYS.
func OpenFiles() (original syscall.Rlimit, err error) { return original, syscall.ENOSYS }
