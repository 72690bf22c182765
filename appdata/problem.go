package appdata

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"syscall"
)

// readProblem names the state that an error of reading shows. Only a folder
// that answered may be called absent: an error of the way to it never is.
func readProblem(err error) State {
	switch {
	case isAny(err, syscall.EIO, syscall.ETIMEDOUT, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED):
		return Hung // a soft mount gives up where a hard one waits
	case isAny(err, syscall.ESTALE):
		return Stale
	case errors.Is(err, fs.ErrNotExist), isAny(err, syscall.ENOTDIR, syscall.ENOTCONN, syscall.ENODEV, syscall.ENXIO):
		return NotMounted // ENOTCONN: the process that served a FUSE mount is gone
	}
	return Degraded // among them permission denied: there, but not for this user
}

// writeProblem is readProblem for writing.
func writeProblem(err error) State {
	switch {
	case isAny(err, syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG):
		return Full
	case isAny(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return ReadOnly
	case errors.Is(err, errReadBack):
		return Stale
	}
	return readProblem(err)
}

func isAny(err error, among ...syscall.Errno) bool {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return false
	}
	return slices.Contains(among, no)
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// StateOf names the state of the share that an error shows, whoever met it; OK
// when it shows none.
func StateOf(err error) State {
	var no syscall.Errno
	switch {
	case err == nil, !errors.As(err, &no) && !errors.Is(err, fs.ErrNotExist):
		return OK
	}
	return writeProblem(err)
}
