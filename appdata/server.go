package appdata

import (
	"net"
	"strconv"
	"strings"
)

// Server is the host whose files a mount shows, and the TCP port at which it takes
// connections of such clients: that which the mount names, or else the usual one.
// Both are empty for a file system of this host, and for one of several servers.
func (m Mount) Server() (host string, port int) {
	var rest string
	switch m.FSType {
	case "nfs", "nfs4":
		host, rest = splitSource(m.Source)
		port = 2049
	case "cifs", "smb3":
		host, rest, _ = strings.Cut(strings.TrimPrefix(m.Source, "//"), "/")
		port = 445
	case "fuse.sshfs":
		host, rest = splitSource(m.Source[strings.LastIndex(m.Source, "@")+1:])
		port = 22
	}
	if host == "" || rest == "" {
		return "", 0
	}
	o := optionsOf(m.Options)
	if address := o["addr"]; net.ParseIP(address) != nil {
		host = address // what the kernel speaks to, whatever the name means by now
	}
	if n, err := strconv.ParseUint(o["port"], 10, 16); err == nil && n != 0 {
		port = int(n)
	}
	return host, port
}

// splitSource reads host:path, or [address]:path with an address of IPv6.
func splitSource(source string) (host, path string) {
	if inside, after, found := strings.Cut(strings.TrimPrefix(source, "["), "]:"); found && strings.HasPrefix(source, "[") {
		return inside, after
	}
	host, path, _ = strings.Cut(source, ":")
	return host, path
}
