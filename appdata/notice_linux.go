package appdata

import (
	"encoding/binary"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// noticeRequest is CIFS_IOC_NOTIFY_INFO of linux/fs/smb/client/cifs_ioctl.h: a
// filter, whether folders below count, how much room there is; then what is told.
const (
	noticeRequest = 0xC009CF0B
	noticeHead    = 9
	noticeFilter  = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x40 | 0x100 // names, folders, attributes, sizes, writes, creation, rights
)

// awaitNotice waits until the server tells something of a folder. It may wait for
// ever. The folder is opened anew each time: the kernel asks with a handle of its own.
func awaitNotice(folder string, buf []byte) ([]byte, error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer dir.Close() // only read
	binary.NativeEndian.PutUint32(buf[0:], noticeFilter)
	buf[4] = 1 // with all below
	binary.NativeEndian.PutUint32(buf[5:], uint32(len(buf)-noticeHead))
	// The kernel writes into buf, which no wrapper of the call can say.
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), noticeRequest, uintptr(unsafe.Pointer(&buf[0])))
		switch {
		case errno == unix.EINTR:
			continue
		case errno != 0:
			return nil, os.NewSyscallError("ioctl", errno)
		}
		size := min(int(binary.NativeEndian.Uint32(buf[5:])), len(buf)-noticeHead)
		return buf[noticeHead : noticeHead+size], nil
	}
}

// noticesAt says whether the file system at a path may have a server that tells.
func noticesAt(root string) bool {
	m, err := MountAt(root)
	return err == nil && (m.FSType == "cifs" || m.FSType == "smb3")
}
