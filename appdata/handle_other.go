//go:build !linux

package appdata

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// handle is an open directory, out of which no link leads.
type handle struct{ root *os.Root }

func openRoot(path string) (handle, error) {
	root, err := os.OpenRoot(path)
	return handle{root}, err
}

func passRoot(path string) (handle, error) { return openRoot(path) }

func (h handle) pass(name string) (handle, error) { return h.sub(name) }

func (h handle) sub(name string) (handle, error) {
	info, err := h.root.Lstat(name)
	if err != nil {
		return handle{}, err
	}
	if !info.IsDir() {
		return handle{}, syscall.ENOTDIR
	}
	root, err := h.root.OpenRoot(name)
	return handle{root}, err
}

// close of a directory that was only read can lose nothing.
func (h handle) close() { _ = h.root.Close() }

func (h handle) names([]byte) ([]string, error) {
	d, err := h.root.Open(".")
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

func (h handle) list(string) error { return list(h.root, ".", 1000) }

func (h handle) stat(name string, _ bool) (Entry, error) {
	info, err := h.root.Lstat(name)
	if err != nil {
		return Entry{}, err
	}
	return entryOf(info), nil
}

func statFile(f *os.File) (Entry, error) {
	info, err := f.Stat()
	if err != nil {
		return Entry{}, err
	}
	return entryOf(info), nil
}

func entryOf(info fs.FileInfo) Entry {
	e := Entry{Mode: uint32(info.Mode().Perm())}
	switch {
	case info.Mode().IsRegular():
		e.Kind, e.Size, e.MTime = File, info.Size(), stampOf(info.ModTime())
	case info.IsDir():
		e.Kind = Folder
	case info.Mode()&fs.ModeSymlink != 0:
		e.Kind, e.MTime = Link, stampOf(info.ModTime())
	case info.Mode()&fs.ModeNamedPipe != 0:
		e.Kind = FIFO
	case info.Mode()&fs.ModeSocket != 0:
		e.Kind = Socket
	case info.Mode()&fs.ModeDevice != 0:
		e.Kind = Device
	default:
		e.Kind = Unknown
	}
	return e
}

func (h handle) open(name string) (content, error) {
	f, err := h.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	return content{f}, err
}

// content is a file that is open to be read.
type content struct{ *os.File }

func (c content) stat() (Entry, error) { return statFile(c.File) }

func (c content) kind() (Entry, error) { return c.stat() }

func (h handle) readlink(name string) (string, error) { return h.root.Readlink(name) }
