package appdata

import (
	"fmt"
	"path"
	"strings"
)

// Class says what a file of the application data is to the cluster.
type Class string

// The classes.
const (
	Shared  Class = "shared"   // one copy, the same for all nodes
	PerHost Class = "per_host" // one node's own; never laid over another's
	Secret  Class = "secret"   // shared, and kept out of bundles and from other users' eyes
	Ignored Class = "ignored"  // nobody's: locks, process numbers, half-written files
)

// Item is a file or folder that the application keeps in its application data.
// It has the same path below the installation as below the share, and it may be
// absent: applications make many of them only when they need them.
type Item struct {
	Path  string // slashes; "." is everything
	Class Class
	Dir   bool
	Copy  bool // the installation needs its own copy as well, so moving it away would break it
}

// Layout is what an application keeps where.
type Layout struct {
	Name   string
	Items  []Item
	Ignore []string // patterns of path.Match for the last part of a path
}

// ignore is what no application means to share: what network file systems and
// editors leave behind, and what is true on one host only.
func ignore() []string {
	return []string{".nfs*", ".fuse_hidden*", "*.tmp", "*.swp", "*~", "*.pid", "*.lock"}
}

// LayoutOf gives the layout of that name: ucd (UrbanCode and DevOps Deploy) or
// generic (everything is shared).
func LayoutOf(name string) (Layout, error) {
	switch name {
	case "ucd":
		return Layout{Name: name, Ignore: ignore(), Items: []Item{
			{Path: "var/plugins", Class: Shared, Dir: true},
			{Path: "var/repository", Class: Shared, Dir: true},
			{Path: "var/sa", Class: Shared, Dir: true},
			{Path: "logs", Class: Shared, Dir: true},
			{Path: "conf/server/notification-templates", Class: Shared, Dir: true},
			{Path: "conf/encryption.keystore", Class: Secret},
			{Path: "conf/server.keystore", Class: Secret},
			{Path: "conf/collectors", Class: Shared, Dir: true},
			{Path: "patches", Class: Shared, Dir: true},
			{Path: "conf/server/log4j.properties", Class: Shared},
			{Path: "conf/installed.version", Class: Shared, Copy: true},
		}}, nil
	case "generic":
		return Layout{Name: name, Ignore: ignore(), Items: []Item{{Path: ".", Class: Shared, Dir: true}}}, nil
	}
	return Layout{}, fmt.Errorf("layout %q: there are ucd and generic", name)
}

// Class says what the file at a path is. What the layout does not mention is
// the node's own: nobody has said that it may be shared.
func (l Layout) Class(name string) Class {
	for part := name; part != "." && part != "/"; part = path.Dir(part) {
		if l.Skips(part) {
			return Ignored
		}
	}
	best, class := -1, PerHost
	for _, item := range l.Items {
		within := item.Path == "." || name == item.Path || item.Dir && strings.HasPrefix(name, item.Path+"/")
		if within && len(item.Path) > best {
			best, class = len(item.Path), item.Class
		}
	}
	return class
}

// Skips is for Scanner.Skip: whether a path is to be ignored, with all below
// it. It looks at the last part only, since a scan asks for the others before.
func (l Layout) Skips(name string) bool {
	if name == dirName {
		return true
	}
	last := name[strings.LastIndexByte(name, '/')+1:]
	for _, pattern := range l.Ignore {
		if matched, _ := path.Match(pattern, last); matched { // a bad pattern matches nothing; a test looks at ours
			return true
		}
	}
	return false
}
