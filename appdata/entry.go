package appdata

import (
	"encoding/hex"
	"fmt"
	"time"
)

// Kind is what an entry of a directory is.
type Kind byte

// The kinds. Only files and directories are ever opened.
const (
	File    Kind = 'f'
	Folder  Kind = 'd'
	Link    Kind = 'l' // symbolic
	FIFO    Kind = 'p'
	Socket  Kind = 's'
	Device  Kind = 'c' // character or block
	Unknown Kind = '?' // it has a name; asking for more gave an error
)

func (k Kind) String() string {
	switch k {
	case File:
		return "file"
	case Folder:
		return "folder"
	case Link:
		return "link"
	case FIFO:
		return "fifo"
	case Socket:
		return "socket"
	case Device:
		return "device"
	}
	return "unknown"
}

// Digest is a SHA-256. The zero value means that there is none.
type Digest [32]byte

func (d Digest) String() string {
	if d == (Digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// Read takes in what String has written.
func (d *Digest) Read(text string) error {
	*d = Digest{}
	if text == "" {
		return nil
	}
	if len(text) != 2*len(d) {
		return fmt.Errorf("%.80q is no SHA-256", text)
	}
	if _, err := hex.Decode(d[:], []byte(text)); err != nil {
		return fmt.Errorf("%.80q is no SHA-256", text)
	}
	return nil
}

// Stamp is a time as a file system keeps it. Unlike time.Time.UnixNano it has
// room for 1901 and 2446, which files really carry.
type Stamp struct {
	Sec  int64
	Nsec int32
}

// Time gives the stamp as a time.
func (s Stamp) Time() time.Time { return time.Unix(s.Sec, int64(s.Nsec)) }

func stampOf(t time.Time) Stamp { return Stamp{Sec: t.Unix(), Nsec: int32(t.Nanosecond())} }

func (s Stamp) after(o Stamp) bool { return s.Sec > o.Sec || s.Sec == o.Sec && s.Nsec > o.Nsec }

// Entry is one name in a directory and what it stands for.
type Entry struct {
	Name   string // any bytes but slash and NUL: file systems know no encoding
	Kind   Kind
	Racy   bool // the content may have changed unseen since it was read: it is read again next time
	Mode   uint32
	UID    uint32
	GID    uint32
	Links  uint32
	Size   int64 // of a file
	MTime  Stamp
	CTime  Stamp // when anything about it changed; people cannot set it
	Inode  uint64
	Digest Digest // of a file's content, if it was read to its end without changing meanwhile
	Raw    Digest // of a field-merged file: of its content as it is, while Digest is of what is compared
	Target string // of a link
	Err    string // why less is known of it than could be
	Below  *Sums  // of a folder
}

// sameStat reports whether nothing visible from outside has changed.
func (e *Entry) sameStat(o *Entry, inodes bool) bool {
	return e.Kind == o.Kind && e.Size == o.Size && e.MTime == o.MTime && e.CTime == o.CTime && e.Mode == o.Mode &&
		e.UID == o.UID && e.GID == o.GID && e.Links == o.Links && (!inodes || e.Inode == o.Inode)
}
