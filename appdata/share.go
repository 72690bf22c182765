package appdata

import (
	"fmt"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Share is the shared folder as one node knows it: where it is, and what it must be.
type Share struct {
	Path       string        `json:"path"`                 // absolute
	Cluster    string        `json:"cluster,omitempty"`    // name of the cluster; empty: any marker, or none, will do
	ID         string        `json:"id,omitempty"`         // the cluster's identity; empty: the name alone decides
	Generation int64         `json:"generation,omitempty"` // that the database knows; 0: any
	Node       string        `json:"node"`                 // who looks
	Word       Word          `json:"word,omitzero"`        // what this node's challenge file is made to say; the zero Word: none is kept
	Said       int64         `json:"said,omitempty"`       // round that the file is known to have had under this Nonce; 0: nothing yet
	Ahead      time.Duration `json:"ahead,omitempty"`      // of the share's clock before this host's, as last seen; only told
	Peers      []string      `json:"peers,omitempty"`      // nodes whose challenge files are read
	FSTypes    []string      `json:"fs_types,omitempty"`   // allowed file systems, as in /proc/filesystems (nfs4, cifs, fuse.sshfs); empty: any
	MinFree    int64         `json:"min_free,omitempty"`   // bytes below which the share counts as full; 0: 16 MiB
	Token      int64         `json:"token,omitempty"`      // highest that this node knows of; kept on the share for all to see
	Files      []string      `json:"files,omitempty"`      // small files below it whose content is told
}

var nodeName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`) })

// Check says what makes no sense in s; the share itself is not touched.
func (s Share) Check() error {
	switch {
	case !filepath.IsAbs(s.Path):
		return fmt.Errorf("share %q: not an absolute path", s.Path)
	case !nodeName().MatchString(s.Node):
		return fmt.Errorf("share %q: %q is not a node's name", s.Path, s.Node)
	case s.ID != "" && s.Cluster == "":
		return fmt.Errorf("share %q: a cluster id without a name", s.Path)
	}
	return nil
}

// Condition is what one probe found.
type Condition struct {
	State           State         `json:"state"`
	Reason          string        `json:"reason"` // empty when all is well; holds no figures that move, so that it can be compared
	Mount           Mount         `json:"mount"`
	MarkerOK        bool          `json:"marker_ok"`
	Readable        bool          `json:"readable"`
	Writable        bool          `json:"writable"`
	Generation      int64         `json:"generation"` // of the marker; 0: none of ours was seen
	FreeBytes       int64         `json:"free_bytes"`
	FreeInodes      int64         `json:"free_inodes"`     // -1: the file system does not count them
	Latency         time.Duration `json:"latency"`         // of a small file written, forced to disk and renamed; 0: not tried
	Ahead           time.Duration `json:"ahead,omitempty"` // of the share's clock before this host's, by the time that it gave that file; only told, nothing goes by it
	CaseInsensitive bool          `json:"case_insensitive"`
	Token           int64         `json:"token"`           // highest that any node has kept there
	Words           *Words        `json:"words,omitempty"` // what challenge files say; nil: nobody could look
	Contents        *Contents     `json:"contents,omitempty"`
}

// Usable reports whether the application can work with the share.
func (c Condition) Usable() bool {
	return (c.State == OK || c.State == Degraded) && c.Readable && c.Writable
}

// Worsen adds a problem that somebody else found. The worst one gives the state
// and begins the reason.
func (c *Condition) Worsen(s State, reason string) { c.worsen(s, "%s", reason) }

// worsen adds a problem. The worst one gives the state and begins the reason.
func (c *Condition) worsen(s State, format string, args ...any) {
	text := valid(fmt.Sprintf(format, args...)) // paths are bytes, a reason is text
	switch {
	case c.Reason == "":
		c.State, c.Reason = s, text
	case s.worseThan(c.State):
		c.State, c.Reason = s, text+"; "+c.Reason
	default:
		c.Reason += "; " + text
	}
}

// sameAs reports whether b says nothing new to people: free space, latency, clocks and
// tokens move all the time, and contents are others' business.
func (c Condition) sameAs(b Condition) bool {
	c.FreeBytes, c.FreeInodes, c.Latency, c.Ahead, c.Token = b.FreeBytes, b.FreeInodes, b.Latency, b.Ahead, b.Token
	c.Words, c.Contents = b.Words, b.Contents
	return c == b
}
