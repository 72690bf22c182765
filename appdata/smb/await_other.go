//go:build !linux

package smb

// Folder is an open folder of an SMB share.
type Folder struct{}

// Open gives ErrNoNotices: on this system nobody can wait.
func Open(string) (*Folder, error) { return nil, ErrNoNotices }

// Close is for systems on which one can wait.
func (*Folder) Close() error { return nil }

// Await is for systems on which one can wait.
func (*Folder) Await() (notices []Notice, whole bool, err error) { return nil, false, ErrNoNotices }
