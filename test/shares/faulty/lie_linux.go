package faulty

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Plan is a lie, and when it is told.
type Plan struct {
	Kind   Kind
	From   int           // number of the question from which on
	For    int           // so many questions; 0: to the end
	Until  time.Duration // and not after nobody has asked for so long; 0: no matter
	Salt   uint64        // chooses paths
	In     uint64        // one path in so many is chosen
	Folder string        // that is gone
	Other  string        // another folder
}

// Kind is what a lie says.
type Kind string

// Lies. Those about one path in so many, or a folder, leave the rest alone.
const (
	Truth      Kind = ""
	IO         Kind = "everything is an input/output error"
	Stale      Kind = "every handle is stale"
	Denied     Kind = "nothing may be read"
	Unplugged  Kind = "nobody is connected"
	Empty      Kind = "an empty folder is mounted"
	Elsewhere  Kind = "another folder is mounted"
	Slow       Kind = "answers take their time"
	Yesterday  Kind = "attributes are those of another folder"
	Truncated  Kind = "listings end early"
	Unlisted   Kind = "some names are not listed"
	SomeIO     Kind = "some paths are errors"
	SomeGone   Kind = "some paths are gone"
	FolderGone Kind = "a folder is gone"
)

func (p Plan) String() string {
	return fmt.Sprintf("%s (%s%s), from question %d for %d", p.Kind, p.Folder, filepath.Base(p.Other), p.From, p.For)
}

// lie is what becomes of one answer. The zero lie is the truth.
type lie struct {
	err   syscall.Errno                     // instead of an answer
	after time.Duration                     // before it
	names func([]fs.DirEntry) []fs.DirEntry // what is listed of a folder
	info  func(fs.FileInfo) fs.FileInfo     // the attributes that are shown
	from  string                            // another folder, in the place of the one that is shown
}

// fault decides about the answer to a question about a path below the root (a dot is
// the root itself).
type fault func(op Op, path string) lie

func (p Plan) fault() fault {
	if p.Kind == Truth {
		return nil
	}
	asked, last, over := 0, time.Now(), false
	return func(op Op, path string) lie {
		over = over || p.Until > 0 && asked > 0 && time.Since(last) > p.Until
		asked, last = asked+1, time.Now()
		if over || asked <= p.From || p.For > 0 && asked > p.From+p.For {
			return lie{}
		}
		return p.tell(op, path)
	}
}

func (p Plan) tell(op Op, path string) lie {
	switch p.Kind {
	case IO:
		return lie{err: syscall.EIO}
	case Stale:
		return lie{err: syscall.ESTALE}
	case Denied:
		return lie{err: syscall.EACCES}
	case Unplugged:
		return lie{err: syscall.ENOTCONN}
	case Empty:
		return gone(op, path, func(name string) bool { return name != "." })
	case Elsewhere:
		return lie{from: p.Other}
	case Slow:
		return lie{after: time.Millisecond}
	case Yesterday:
		return lie{info: func(info fs.FileInfo) fs.FileInfo {
			if was, err := os.Lstat(filepath.Join(p.Other, path)); err == nil {
				return was
			}
			return info
		}}
	case Truncated:
		return lie{names: func(all []fs.DirEntry) []fs.DirEntry { return all[:len(all)-len(all)/4] }}
	case Unlisted:
		return lie{names: gone(op, path, p.chosen).names}
	case SomeIO:
		if p.chosen(path) {
			return lie{err: syscall.EIO}
		}
	case SomeGone:
		return gone(op, path, p.chosen)
	case FolderGone:
		return gone(op, path, func(name string) bool { return name == p.Folder || strings.HasPrefix(name, p.Folder+"/") })
	}
	return lie{}
}

// gone says that some paths are not there.
func gone(op Op, path string, is func(path string) bool) lie {
	if is(path) && op != OpenFolder && op != List {
		return lie{err: syscall.ENOENT}
	}
	return lie{names: func(all []fs.DirEntry) []fs.DirEntry {
		return slices.DeleteFunc(all, func(e fs.DirEntry) bool { return is(filepath.Join(path, e.Name())) })
	}}
}

// chosen says whether a path is one of those about which is lied: always the same, and
// never our own.
func (p Plan) chosen(path string) bool {
	h := p.Salt
	for _, c := range []byte(path) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return path != "." && !strings.HasPrefix(path, ".coterie") && h>>20%max(p.In, 1) == 0
}
