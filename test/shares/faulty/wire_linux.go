package faulty

import (
	"encoding/binary"
	"io/fs"
	"syscall"
)

// Op is what the kernel asks.
type Op uint32

// What is asked of folders and files. All else is answered by "not here".
const (
	Lookup     Op = 1
	forget     Op = 2
	Attributes Op = 3
	Link       Op = 5
	Open       Op = 14
	Read       Op = 15
	space      Op = 17
	release    Op = 18
	initialise Op = 26
	OpenFolder Op = 27
	List       Op = 28
	releaseDir Op = 29
	interrupt  Op = 36
	forgetMany Op = 42
)

// question is a request of the kernel: a header of 40 bytes, and what belongs to it.
type question struct {
	op     Op
	unique uint64
	node   uint64
	body   []byte
}

const headerBytes = 40

func parse(message []byte) question {
	n := binary.NativeEndian
	return question{op: Op(n.Uint32(message[4:])), unique: n.Uint64(message[8:]), node: n.Uint64(message[16:]), body: message[headerBytes:]}
}

// answer puts the header of an answer before its body.
func answer(unique uint64, err syscall.Errno, body []byte) []byte {
	n := binary.NativeEndian
	if err != 0 {
		body = nil
	}
	message := n.AppendUint32(make([]byte, 0, 16+len(body)), uint32(16+len(body)))
	message = n.AppendUint32(message, uint32(-int32(err)))
	message = n.AppendUint64(message, unique)
	return append(message, body...)
}

// appendAttributes writes struct fuse_attr.
func appendAttributes(b []byte, node uint64, info fs.FileInfo) []byte {
	n := binary.NativeEndian
	s := info.Sys().(*syscall.Stat_t)
	for _, v := range []uint64{node, uint64(s.Size), uint64(s.Blocks), uint64(s.Atim.Sec), uint64(s.Mtim.Sec), uint64(s.Ctim.Sec)} {
		b = n.AppendUint64(b, v)
	}
	for _, v := range []uint32{uint32(s.Atim.Nsec), uint32(s.Mtim.Nsec), uint32(s.Ctim.Nsec), s.Mode, uint32(s.Nlink), s.Uid, s.Gid, 0, 4096, 0} {
		b = n.AppendUint32(b, v)
	}
	return b
}

// appendEntry writes struct fuse_entry_out; the kernel is to remember nothing.
func appendEntry(node uint64, info fs.FileInfo) []byte {
	n := binary.NativeEndian
	b := n.AppendUint64(nil, node)
	b = append(b, make([]byte, 8+8+8+4+4)...) // generation, and how long name and attributes hold
	return appendAttributes(b, node, info)
}

// appendName writes struct fuse_dirent.
func appendName(b []byte, next uint64, e fs.DirEntry) []byte {
	n := binary.NativeEndian
	kind := map[fs.FileMode]uint32{fs.ModeDir: syscall.DT_DIR, fs.ModeSymlink: syscall.DT_LNK, 0: syscall.DT_REG}[e.Type()]
	b = n.AppendUint64(n.AppendUint64(b, next), next) // a number of its own will do for the inode
	b = n.AppendUint32(n.AppendUint32(b, uint32(len(e.Name()))), kind)
	b = append(b, e.Name()...)
	return append(b, make([]byte, (8-len(e.Name())%8)%8)...)
}
