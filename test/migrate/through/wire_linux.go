package through

import (
	"bytes"
	"encoding/binary"
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// Op is what the kernel asks.
type Op uint32

// What is asked (linux/fuse.h). All else is answered by "not here".
const (
	Lookup      Op = 1
	forget      Op = 2
	GetAttr     Op = 3
	SetAttr     Op = 4
	ReadLink    Op = 5
	Symlink     Op = 6
	MkNod       Op = 8
	MkDir       Op = 9
	Unlink      Op = 10
	RmDir       Op = 11
	Rename      Op = 12
	Link        Op = 13
	Open        Op = 14
	Read        Op = 15
	Write       Op = 16
	StatFS      Op = 17
	release     Op = 18
	FSync       Op = 20
	SetXAttr    Op = 21
	GetXAttr    Op = 22
	ListXAttr   Op = 23
	RemoveXAttr Op = 24
	Flush       Op = 25
	initialise  Op = 26
	OpenDir     Op = 27
	ReadDir     Op = 28
	releaseDir  Op = 29
	FSyncDir    Op = 30
	Create      Op = 35
	interrupt   Op = 36
	destroy     Op = 38
	FAllocate   Op = 43
	forgetMany  Op = 42
	Rename2     Op = 45
	LSeek       Op = 46
	CopyRange   Op = 47
)

var names = map[Op]string{
	Lookup: "lookup", GetAttr: "getattr", SetAttr: "setattr", ReadLink: "readlink", Symlink: "symlink", MkNod: "mknod", MkDir: "mkdir", Unlink: "unlink",
	RmDir: "rmdir", Rename: "rename", Link: "link", Open: "open", Read: "read", Write: "write", StatFS: "statfs", FSync: "fsync", SetXAttr: "setxattr",
	GetXAttr: "getxattr", ListXAttr: "listxattr", RemoveXAttr: "removexattr", Flush: "flush", OpenDir: "opendir", ReadDir: "readdir", FSyncDir: "fsyncdir",
	Create: "create", FAllocate: "fallocate", Rename2: "rename2", LSeek: "lseek", CopyRange: "copy_file_range",
}

// String is the call's name, as in a trace.
func (o Op) String() string { return names[o] }

const headerBytes = 40

// question is a request of the kernel.
type question struct {
	op     Op
	unique uint64
	node   uint64
	pid    int
	body   []byte
}

func parse(message []byte) question {
	n := binary.NativeEndian
	return question{
		op: Op(n.Uint32(message[4:])), unique: n.Uint64(message[8:]), node: n.Uint64(message[16:]),
		pid: int(n.Uint32(message[32:])), body: message[headerBytes:],
	}
}

func (q question) u32(at int) uint32 { return binary.NativeEndian.Uint32(q.body[at:]) }
func (q question) u64(at int) uint64 { return binary.NativeEndian.Uint64(q.body[at:]) }

// texts are the names that end a question, from somewhere on.
func (q question) texts(at int) []string {
	var all []string
	for part := range bytes.SplitSeq(bytes.TrimSuffix(q.body[at:], []byte{0}), []byte{0}) {
		all = append(all, string(part))
	}
	return all
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

// attributes is struct fuse_attr.
func attributes(b []byte, s *unix.Stat_t) []byte {
	n := binary.NativeEndian
	for _, v := range []uint64{s.Ino, uint64(s.Size), uint64(s.Blocks), uint64(s.Atim.Sec), uint64(s.Mtim.Sec), uint64(s.Ctim.Sec)} {
		b = n.AppendUint64(b, v)
	}
	for _, v := range []uint32{uint32(s.Atim.Nsec), uint32(s.Mtim.Nsec), uint32(s.Ctim.Nsec), s.Mode, uint32(s.Nlink), s.Uid, s.Gid, uint32(s.Rdev), 4096, 0} {
		b = n.AppendUint32(b, v)
	}
	return b
}

// entry is struct fuse_entry_out. The kernel is to remember names, which nobody changes
// behind it, and no attributes: else most calls were the way to a file, again and again.
func entry(node uint64, s *unix.Stat_t) []byte {
	const names = 3600 // seconds
	n := binary.NativeEndian
	b := n.AppendUint64(n.AppendUint64(n.AppendUint64(nil, node), 0), names)
	return attributes(append(b, make([]byte, 8+4+4)...), s)
}

// opened is struct fuse_open_out.
func opened(handle uint64, flags uint32) []byte {
	n := binary.NativeEndian
	return n.AppendUint32(n.AppendUint32(n.AppendUint64(nil, handle), flags), 0)
}

func word(v uint32) []byte {
	n := binary.NativeEndian
	return n.AppendUint32(n.AppendUint32(nil, v), 0)
}

// numberOf is the kernel's number of an error.
func numberOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number
	}
	return syscall.EIO
}
