package smb

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// listOf is a list of FILE_NOTIFY_INFORMATION.
func listOf(notices ...Notice) []byte {
	var all []byte
	for i, n := range notices {
		name := utf16.Encode([]rune(strings.ReplaceAll(n.Path, "/", `\`)))
		one := make([]byte, 12, 12+2*len(name)+3)
		binary.LittleEndian.PutUint32(one[4:], uint32(n.Action))
		binary.LittleEndian.PutUint32(one[8:], uint32(2*len(name)))
		for _, u := range name {
			one = binary.LittleEndian.AppendUint16(one, u)
		}
		for len(one)%4 != 0 {
			one = append(one, 0)
		}
		if i < len(notices)-1 {
			binary.LittleEndian.PutUint32(one, uint32(len(one)))
		}
		all = append(all, one...)
	}
	return all
}

// What comes from the network and is no list of names below the folder is not believed; an
// empty list is what a server says that could not keep all.
func TestWhatIsNoListIsNotWhole(t *testing.T) {
	endless := listOf(Notice{Added, "conf/a"}, Notice{Added, "conf/b"})
	binary.LittleEndian.PutUint32(endless, 4)
	long := listOf(Notice{Added, "conf/a"})
	binary.LittleEndian.PutUint32(long[8:], 1<<31)
	for name, text := range map[string][]byte{
		"nothing": nil, "cut": listOf(Notice{Added, "conf/a"})[:9], "into itself": endless, "a long name": long,
		"out of the share": listOf(Notice{Added, "../etc/passwd"}), "a byte of zero": listOf(Notice{Added, "conf\x00"}),
		"past its end": append(binary.LittleEndian.AppendUint32(nil, 1<<20), listOf(Notice{Added, "conf"})[4:]...),
	} {
		if notices, whole := read(text); whole {
			t.Errorf("%s: %v is whole", name, notices)
		}
	}
	want := []Notice{{OldName, "conf/ä😀"}, {NewName, "conf/b"}}
	if got, whole := read(listOf(want...)); !whole || !slices.Equal(got, want) {
		t.Errorf("read are %v, want %v", got, want)
	}
}

func FuzzNotices(f *testing.F) {
	f.Add(listOf(Notice{Added, "conf/a"}, Notice{Removed, "b"}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		notices, whole := read(bytes.Clone(text))
		for _, n := range notices {
			if !fs.ValidPath(n.Path) {
				t.Errorf("%q is no path", n.Path)
			}
		}
		if !whole {
			return
		}
		if again, _ := read(listOf(notices...)); !slices.Equal(again, notices) {
			t.Errorf("%v read again are %v", notices, again)
		}
	})
}
