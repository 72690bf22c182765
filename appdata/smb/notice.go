package smb

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"strings"
	"unicode/utf16"
)

// Notice is what a server tells of one name.
type Notice struct {
	Action Action
	Path   string // below the folder that was asked for, with slashes
}

// Action is what happened to a name (MS-FSCC 2.7.1).
type Action uint32

// The actions that matter here; of streams and of renamed files there are more.
const (
	Added    Action = 1
	Removed  Action = 2
	Modified Action = 3
	OldName  Action = 4 // of one that was renamed
	NewName  Action = 5
)

// ErrNoNotices is of a file system that tells nobody of changes.
var ErrNoNotices = errors.New("the file system is none of SMB, whose server tells of changes")

// read reads a list of FILE_NOTIFY_INFORMATION (MS-FSCC 2.7.1), which comes from the
// network: what is no list of names is not whole. An empty list is what a server says that
// could not keep all.
func read(text []byte) (notices []Notice, whole bool) {
	const head = 12
	for len(text) >= head {
		next := binary.LittleEndian.Uint32(text)
		size := binary.LittleEndian.Uint32(text[8:])
		if size%2 != 0 || uint64(size) > uint64(len(text)-head) {
			return notices, false
		}
		name := make([]uint16, size/2)
		for i := range name {
			name[i] = binary.LittleEndian.Uint16(text[head+2*i:])
		}
		p := strings.ReplaceAll(string(utf16.Decode(name)), `\`, "/")
		if !fs.ValidPath(p) || strings.ContainsRune(p, 0) {
			return notices, false
		}
		notices = append(notices, Notice{Action(binary.LittleEndian.Uint32(text[4:])), p})
		if next == 0 {
			return notices, true
		}
		if uint64(next) < head+uint64(size) || uint64(next) > uint64(len(text)) {
			return notices, false
		}
		text = text[next:]
	}
	return notices, false
}
