package appdata

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Risk is something about a mount that will hurt one day, though all works now.
type Risk struct {
	Grave  bool   // files can be lost or read wrongly; else it is slow, late or unhandy
	Text   string // what, and what it does
	Remedy string // an option of mount, or what else to do
}

func (r Risk) String() string { return r.Text + " (" + r.Remedy + ")" }

// Risks judges a mount by its type and options, as the kernel shows them: it
// touches nothing. The worst stand first.
func (m Mount) Risks() []Risk {
	o := optionsOf(m.Options)
	var found []Risk
	grave := func(text, remedy string) { found = append(found, Risk{true, text, remedy}) }
	minor := func(text, remedy string) { found = append(found, Risk{false, text, remedy}) }
	switch {
	case m.FSType == "nfs", m.FSType == "nfs4":
		m.nfsRisks(o, grave, minor)
	case m.FSType == "cifs", m.FSType == "smb3":
		m.smbRisks(o, grave, minor)
	case m.FSType == "fuse.sshfs":
		minor("sshfs shows what other hosts write up to 20 s late", "mount with dir_cache=no, or use NFSv4")
	case m.FSType == "fuse.smbnetfs":
		grave("smbnetfs cannot append to a file that another host has changed", "mount the share with cifs")
	case m.FSType == "overlay", m.FSType == "tmpfs", m.FSType == "ramfs":
		minor(m.FSType+" is this host's own, and may be gone after a restart", "mount the shared file system here")
	case m.FSType != "" && !m.Network() && !strings.HasPrefix(m.FSType, "fuse"):
		minor(m.FSType+" is a file system of this host alone, as far as its type tells", "mount the shared file system here, unless all nodes are on this host")
	}
	if o.has("ro") {
		grave("mounted read-only", "remount with rw")
	}
	if o.has("sync") && !o.has("dirsync") && m.Network() {
		minor("each write waits for the server (sync)", "leave sync out")
	}
	slices.SortStableFunc(found, func(a, b Risk) int {
		switch {
		case a.Grave == b.Grave:
			return 0
		case a.Grave:
			return -1
		}
		return 1
	})
	return found
}

type tellRisk func(text, remedy string)

func (m Mount) nfsRisks(o options, grave, minor tellRisk) {
	version := o["vers"]
	if version == "" && m.FSType == "nfs" {
		version = "3"
	}
	if strings.HasPrefix(version, "2") || strings.HasPrefix(version, "3") {
		grave("NFSv"+version+": locks are a service apart, which forgets them", "mount with vers=4.2")
	}
	if o.has("nolock") || o["local_lock"] == "all" || o["local_lock"] == "flock" || o["local_lock"] == "posix" {
		grave("locks hold on this host only (nolock, local_lock)", "leave nolock and local_lock out")
	}
	if o.has("soft") || o.has("softerr") {
		grave("a write that the server does not answer is given up, and data are lost without a word (soft)", "mount with hard")
	}
	if o["proto"] == "udp" {
		grave("UDP can put pieces of different packets together", "mount with proto=tcp")
	}
	if o.has("nocto") {
		grave("opening a file does not ask the server whether it changed (nocto)", "leave nocto out")
	}
	if o.has("noac") {
		minor("nothing is remembered, each look is a request (noac)", "mount with actimeo=1,lookupcache=positive instead")
		return
	}
	if late := o.seconds("actimeo", o.seconds("acregmax", 60), o.seconds("acdirmax", 60)); late > 3 {
		minor(fmt.Sprintf("what other hosts change in a folder may be seen %d s late", late), "mount with actimeo=1 or 3")
	}
	if o["lookupcache"] == "" || o["lookupcache"] == "all" {
		minor("that a name was not there is remembered for up to a minute", "mount with lookupcache=positive")
	}
}

func (m Mount) smbRisks(o options, grave, minor tellRisk) {
	if v := o["vers"]; strings.HasPrefix(v, "1") {
		grave("SMB 1 is neither safe nor coherent", "mount with vers=3.1.1")
	} else if strings.HasPrefix(v, "2") {
		minor("SMB "+v+" knows no encryption, and finds its session again badly", "mount with vers=3.1.1")
	}
	if o["cache"] == "loose" {
		grave("content that other hosts wrote is not asked for (cache=loose)", "mount with cache=strict")
	}
	if o.has("nobrl") || o.has("nolock") {
		grave("locks hold on this host only (nobrl)", "leave nobrl out")
	}
	if o["closetimeo"] != "0" {
		minor("a file that is replaced by another stays the old one for who opens it again within a second", "mount with closetimeo=0")
	}
	if late := o.seconds("actimeo", o.seconds("acregmax", 1), o.seconds("acdirmax", 1)); late > 3 {
		minor(fmt.Sprintf("what other hosts change in a folder may be seen %d s late", late), "mount with actimeo=1")
	}
	if o.has("nocase") {
		minor("names that differ by case alone are one name (nocase)", "mount with nocase left out")
	}
	if !o.has("mfsymlinks") && !o.has("posix") {
		minor("symbolic links cannot be made", "mount with mfsymlinks")
	}
	if mode := o["file_mode"]; mode != "" && strings.HasSuffix(mode, "7") {
		grave("everybody on this host may read and write all files, keystores too (file_mode="+mode+")", "mount with file_mode=0640,dir_mode=0750,uid=,gid=")
	}
	if late := o.seconds("echo_interval", 60); late > 10 {
		minor(fmt.Sprintf("a dead server is noticed after %d s", 2*late), "mount with echo_interval=10")
	}
}

// options are those of a mount; one without a value has itself.
type options map[string]string

func optionsOf(text string) options {
	o := options{}
	for option := range strings.SplitSeq(text, ",") {
		name, value, valued := strings.Cut(option, "=")
		if !valued {
			value = name
		}
		o[name] = value
	}
	return o
}

func (o options) has(name string) bool { return o[name] != "" }

// seconds is an option in seconds, or else the most of what holds without it.
func (o options) seconds(name string, otherwise ...int) int {
	if n, err := strconv.Atoi(o[name]); err == nil {
		return n
	}
	return slices.Max(append(otherwise, 0))
}
