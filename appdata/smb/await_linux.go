package smb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The request is CIFS_IOC_NOTIFY_INFO of linux/fs/smb/client/cifs_ioctl.h, which Linux has
// since 6.1: a filter, whether folders below count, the room there is; then what is told.
const (
	notifyRequest = 0xC009CF0B
	notifyHead    = 9
	notifyRoom    = 16 << 10
	// Names of files and folders, attributes (Samba says so of what is written at its own
	// disk), sizes, writes, creations, rights.
	notifyFilter = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x40 | 0x100
)

// Folder is an open folder of an SMB share, whose server tells of it.
type Folder struct{ fd int }

// Open opens a folder. Without a server that tells the error is ErrNoNotices.
func Open(folder string) (*Folder, error) {
	fd, err := again(func() (int, error) { return unix.Open(folder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: folder, Err: err}
	}
	f := &Folder{fd}
	var at unix.Statfs_t
	if _, err := again(func() (int, error) { return 0, unix.Fstatfs(fd, &at) }); err != nil {
		return nil, errors.Join(os.NewSyscallError("statfs", err), f.Close())
	}
	if kind := uint32(at.Type); kind != unix.CIFS_SUPER_MAGIC && kind != unix.SMB2_SUPER_MAGIC {
		return nil, errors.Join(ErrNoNotices, f.Close())
	}
	return f, nil
}

// Close ends nobody's Await.
func (f *Folder) Close() error { return os.NewSyscallError("close", unix.Close(f.fd)) }

// Await waits until the server tells that something changed in the folder, or below it. It
// may wait for ever, and nobody can call it back. The kernel opens the folder anew at the
// server for each question, so what changes between two is not told. Unless whole is true
// there was more than could be told.
func (f *Folder) Await() (notices []Notice, whole bool, err error) {
	answer := make([]byte, notifyHead+notifyRoom)
	_, err = again(func() (int, error) {
		binary.NativeEndian.PutUint32(answer, notifyFilter)
		answer[4] = 1
		binary.NativeEndian.PutUint32(answer[5:], notifyRoom)
		// The kernel writes into answer, which no wrapper of the call can say.
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(f.fd), notifyRequest, uintptr(unsafe.Pointer(&answer[0])))
		if errno != 0 {
			return 0, errno
		}
		return 0, nil
	})
	switch {
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EOPNOTSUPP):
		return nil, false, fmt.Errorf("%w (%w)", ErrNoNotices, err)
	case err != nil:
		return nil, false, os.NewSyscallError("ioctl", err)
	}
	told := binary.NativeEndian.Uint32(answer[5:])
	if told > notifyRoom {
		return nil, false, nil
	}
	notices, whole = read(answer[notifyHead:][:told])
	return notices, whole, nil
}

// again repeats a call that a signal interrupted.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
