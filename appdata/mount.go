package appdata

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode"
)

// Mount is the file system that a path lies on, as the kernel names it.
type Mount struct {
	Point   string `json:"point"`
	FSType  string `json:"fs_type"` // nfs4, cifs, fuse.sshfs, ext4
	Source  string `json:"source"`  // nas1:/export/deploy
	Options string `json:"options"` // of the mount and of the file system, commas between; no passwords

	id int
}

// Network reports whether the file system's data come from another host.
func (m Mount) Network() bool {
	switch m.FSType {
	case "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "afs", "ocfs2", "gfs2":
		return true
	}
	return strings.HasPrefix(m.FSType, "fuse.") && m.FSType != "fuse.portal"
}

// parseMountinfo reads /proc/self/mountinfo (see proc_pid_mountinfo(5)), in the order of mounting.
func parseMountinfo(r io.Reader) ([]Mount, error) {
	var mounts []Mount
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			m, perr := parseMountLine(strings.TrimSuffix(line, "\n"))
			if perr != nil {
				return nil, perr
			}
			mounts = append(mounts, m)
		}
		if err == io.EOF {
			return mounts, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// parseMountLine reads "36 35 98:0 /root /point rw,noatime shared:1 - ext3 /dev/root rw,errors=continue".
// Between the options and the dash stand any number of optional fields.
func parseMountLine(line string) (Mount, error) {
	before, after, found := strings.Cut(line, " - ")
	head, tail := strings.Split(before, " "), strings.Split(after, " ")
	if !found || len(head) < 6 || len(tail) < 2 {
		return Mount{}, fmt.Errorf("mountinfo: cannot read %q", line)
	}
	id, err := strconv.Atoi(head[0])
	if err != nil {
		return Mount{}, fmt.Errorf("mountinfo: cannot read %q: %w", line, err)
	}
	options := head[5]
	if len(tail) > 2 {
		options += "," + tail[2]
	}
	// Rows and pages repeat all but the point, and want text.
	return Mount{
		id: id, Point: unescape(head[4]), FSType: valid(unescape(tail[0])), Source: valid(unescape(tail[1])),
		Options: valid(publicOptions(unescape(options))),
	}, nil
}

// valid makes text of bytes: one line, valid UTF-8, nothing that moves a terminal.
func valid(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r // RuneError already for what is not UTF-8
	}, s)
}

// unescape undoes the kernel's octal writing of blank, tab, newline and backslash.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if code, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// publicOptions says each option once and leaves passwords out: rows and logs repeat what stands here.
func publicOptions(options string) string {
	seen := map[string]bool{"": true}
	var kept []string
	for option := range strings.SplitSeq(options, ",") {
		name, _, valued := strings.Cut(option, "=")
		if valued && strings.Contains(strings.ToLower(name), "pass") {
			option = name + "=***"
		}
		if !seen[option] {
			seen[option] = true
			kept = append(kept, option)
		}
	}
	return strings.Join(kept, ",")
}

// mountAbove gives the mount that holds a path, by its name alone; of several on one point the last hides the others.
func mountAbove(mounts []Mount, name string) Mount {
	var best Mount
	name = path.Clean(name)
	for _, m := range mounts {
		within := m.Point == "/" || name == m.Point || strings.HasPrefix(name, m.Point+"/")
		if within && len(m.Point) >= len(best.Point) {
			best = m
		}
	}
	return best
}

// MountAt names the file system at a path without touching the path, so it
// answers for a share that hangs. It cannot see through symbolic links.
func MountAt(name string) (Mount, error) {
	mounts, err := allMounts()
	if err != nil {
		return Mount{}, err
	}
	return mountAbove(mounts, name), nil
}
