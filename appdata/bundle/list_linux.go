package bundle

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/appdata"
)

// stat looks at the folder itself.
func (f folder) stat() (look, error) { return plainFile(f).stat() }

func (f folder) readlink(name string, buffer []byte) ([]byte, error) {
	n, err := again(func() (int, error) { return unix.Readlinkat(f.fd, name, buffer) })
	if err != nil {
		return nil, err
	}
	return buffer[:n], nil
}

// named is a name in a folder, and what the folder says that it is; Unknown where it does not.
type named struct {
	name string
	kind appdata.Kind
}

// names lists a folder, in no order.
func (f folder) names(buffer []byte) (all []named, err error) {
	for {
		n, err := again(func() (int, error) { return unix.Getdents(f.fd, buffer) })
		if err != nil || n == 0 {
			return all, err
		}
		for rest := buffer[:n]; len(rest) > 0; {
			length := binary.NativeEndian.Uint16(rest[16:])
			text, kind := rest[19:length], rest[18]
			rest = rest[length:]
			if end := bytes.IndexByte(text, 0); end >= 0 {
				text = text[:end]
			}
			if name := string(text); name != "." && name != ".." {
				all = append(all, named{name, kindOf(kind)})
			}
		}
	}
}

func kindOf(kind byte) appdata.Kind {
	switch kind {
	case unix.DT_REG:
		return appdata.File
	case unix.DT_DIR:
		return appdata.Folder
	case unix.DT_LNK:
		return appdata.Link
	case unix.DT_FIFO:
		return appdata.FIFO
	case unix.DT_SOCK:
		return appdata.Socket
	case unix.DT_CHR, unix.DT_BLK:
		return appdata.Device
	}
	return appdata.Unknown
}
