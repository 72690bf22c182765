package appdata

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"time"
	"unicode/utf16"
)

// noticed is what a file server has told of changes, whoever made them. SMB
// servers do that; what came while nobody asked is lost, so this is a hint and no
// more: a scan is the fact.
type noticed struct {
	paths []string // below the root
	lost  string   // there was more than the server could tell
}

// waiters is how many ask at once. Between an answer and the next question nothing is
// heard; what is told is looked for a tenth of a second later, so what came meanwhile in
// the same folder is found.
const waiters = 2

// askServer asks the server of an SMB share to tell what changes in a folder and all
// below, until ctx ends or the server will not. The caller's process must be
// expendable: who waits cannot be called back, but is killed with it.
func askServer(ctx context.Context, root string, tell chan<- noticed) {
	for i := range waiters {
		go func() { // waited for by nobody: it ends with the process
			select { // not all at once
			case <-time.After(time.Duration(i) * 10 * time.Millisecond):
				awaitNotices(ctx, root, tell)
			case <-ctx.Done():
			}
		}()
	}
}

func awaitNotices(ctx context.Context, root string, tell chan<- noticed) {
	buf := make([]byte, noticeHead+16<<10)
	for ctx.Err() == nil {
		text, err := awaitNotice(root, buf)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOTTY), errors.Is(err, syscall.EINVAL):
			return // the folder is gone, or the server does not tell: a scan finds out
		case err != nil: // a connection that is being made again, say
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		select {
		case tell <- parseNotice(text):
		case <-ctx.Done():
		}
	}
}

// parseNotice reads a chain of FILE_NOTIFY_INFORMATION: where the next one begins,
// what happened, how long the name is, the name in UTF-16 with backslashes.
func parseNotice(text []byte) (n noticed) {
	if len(text) < 12 {
		n.lost = "the file server tells that more changed than it can tell"
		return n
	}
	for len(text) >= 12 {
		next, size := binary.LittleEndian.Uint32(text), binary.LittleEndian.Uint32(text[8:])
		if uint64(size) > uint64(len(text)-12) {
			n.lost = "the file server's word was cut short"
			return n
		}
		units := make([]uint16, size/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16(text[12+2*i:])
		}
		name := path.Clean(strings.ReplaceAll(string(utf16.Decode(units)), `\`, "/"))
		if name != "." && name != ".." && !strings.HasPrefix(name, "../") && !strings.HasPrefix(name, "/") && !strings.ContainsRune(name, 0) {
			n.paths = append(n.paths, name)
		}
		if next == 0 || uint64(next) > uint64(len(text)) {
			return n
		}
		text = text[next:]
	}
	return n
}
