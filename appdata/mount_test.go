package appdata

import (
	"strings"
	"testing"
)

const mountinfo = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
40 22 0:35 / /media/share rw,nosuid,relatime shared:7 master:2 - nfs4 nas1:/export/deploy rw,vers=4.2,hard,proto=tcp,nosuid
41 22 0:36 / /media/a\040b\011c\012d\134e ro - fuse.sshfs ana@host:/x\040y rw,user_id=0
42 40 0:37 / /media/share rw - cifs //nas2/deploy rw,vers=3.1.1,username=svc,password=hunter2,passwd=x
43 22 0:38 / /media/share-old rw - tmpfs none rw
44 22 0:39 / /mnt rw unbindable - autofs systemd-1
45 22 0:40 / /bytes\377 rw - nfs4 nas\377 rw,x=\376
`

func TestMountinfoIsReadAsTheKernelWritesIt(t *testing.T) {
	mounts, err := parseMountinfo(strings.NewReader(mountinfo))
	if err != nil || len(mounts) != 7 {
		t.Fatalf("got %d mounts, %v", len(mounts), err)
	}
	want := Mount{id: 40, Point: "/media/share", FSType: "nfs4", Source: "nas1:/export/deploy", Options: "rw,nosuid,relatime,vers=4.2,hard,proto=tcp"}
	if mounts[1] != want {
		t.Errorf("got %+v\nwant %+v", mounts[1], want)
	}
	if m := mounts[2]; m.Point != "/media/a b\tc\nd\\e" || m.Source != "ana@host:/x y" || m.Options != "ro,rw,user_id=0" {
		t.Errorf("escapes: got %+v", m)
	}
	if m := mounts[6]; m.Point != "/bytes\xff" || m.Source != "nas\uFFFD" || m.Options != "rw,x=\uFFFD" {
		t.Errorf("bytes: got %+v", m)
	}
	if strings.Contains(mounts[3].Options, "hunter2") || !strings.Contains(mounts[3].Options, "password=***,passwd=***") {
		t.Errorf("options say %q", mounts[3].Options)
	}
}

func TestMountOfAPathIsTheInnermostAndTheTopmost(t *testing.T) {
	mounts, err := parseMountinfo(strings.NewReader(mountinfo))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/media/share":          "cifs", // mounted over the nfs4
		"/media/share/appdata/": "cifs",
		"/media/share-old/x":    "tmpfs",
		"/media/shared":         "ext4",
		"/":                     "ext4",
		"/mnt/../mnt/x":         "autofs",
	} {
		if got := mountAbove(mounts, path).FSType; got != want {
			t.Errorf("%s lies on %s, want %s", path, got, want)
		}
	}
}

func TestNonsenseInMountinfoIsAnError(t *testing.T) {
	for _, line := range []string{"x", "1 2 3 4 5 6 7", "a b 0:1 / / rw - ext4 /dev/vda rw", "1 2 0:1 / / rw - ext4", " - \n"} {
		if mounts, err := parseMountinfo(strings.NewReader(line)); err == nil {
			t.Errorf("%q was read as %+v", line, mounts)
		}
	}
}

func FuzzMountinfo(f *testing.F) {
	f.Add(mountinfo)
	f.Add(`1 2 0:1 / /\0 rw - a b \777`)
	f.Fuzz(func(t *testing.T, text string) {
		mounts, err := parseMountinfo(strings.NewReader(text))
		if err == nil {
			mountAbove(mounts, "/media/share")
		}
	})
}
