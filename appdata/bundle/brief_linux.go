package bundle

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"
)

// Most files are small, and what they cost is calls of the system: on a file system of
// this host a small file is opened, read once and closed.

// briefly is how much is read at once to see whether that is all.
const briefly = 16 << 10

// page is what a read of a paged file system comes in, or a multiple of it.
const page = 4 << 10

// sameBrief compares open files by one read of each; known is false when that is not
// all of them, or nothing.
//
// A read that stops within a page has met the end of the file: an error of the disk stops
// it between two. What cannot be read from a place, as a FIFO that has taken the place
// of the file, is refused by the system and not read.
func (s *sides) sameBrief(files []plainFile) (same, known bool) {
	length := 0
	for i, f := range files {
		n, err := again(func() (int, error) { return unix.Pread(f.fd, s.buffers[i][:briefly], 0) })
		if err != nil || n%page == 0 {
			return false, false
		}
		if i > 0 && (n != length || !bytes.Equal(s.buffers[i][:n], s.buffers[0][:n])) {
			return false, true
		}
		length = n
	}
	s.Progress.Read.Add(int64(length) * int64(len(files)))
	return true, true
}

// paged says that the folder is on a file system of this host, of which the kernel
// reads files page by page and knows their sizes by itself.
func (f folder) paged() bool {
	var s unix.Statfs_t
	if unix.Fstatfs(f.fd, &s) != nil {
		return false
	}
	switch s.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// quietly opens a file without a note in its times that it was read, where that is allowed.
func (w *sifter) quietly(dir folder, name string) (plainFile, error) {
	if !w.loud.Load() {
		f, err := dir.openWith(name, unix.O_NOATIME)
		if !errors.Is(err, unix.EPERM) {
			return f, err
		}
		w.loud.Store(true)
	}
	return dir.open(name)
}
