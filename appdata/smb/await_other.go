//go:build !linux

package smb

// Await is for Linux alone.
func Await(string) (notices []Notice, whole bool, err error) { return nil, false, ErrNoNotices }
