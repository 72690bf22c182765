package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/coterie-ha/coterie/appdata/bundle"
)

// entry is a line of a forged manifest, and the member that goes with it. The form is
// written here a second time, by hand, so that what forges owes nothing to what reads.
type entry struct {
	Path   string `json:"path"`
	Kind   string `json:"kind"`
	Class  string `json:"class"`
	Mode   string `json:"mode,omitempty"`
	Size   int64  `json:"size,omitempty"`
	MTime  int64  `json:"mtime,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Target string `json:"target,omitempty"`

	body   string
	member *tar.Header // instead of the right one
}

func file(path, body string) entry {
	sum := sha256.Sum256([]byte(body))
	return entry{Path: path, Kind: "file", Class: "shared", Mode: "0644", Size: int64(len(body)), MTime: 1_700_000_000, SHA256: hex.EncodeToString(sum[:]), body: body}
}

func folder(path string) entry {
	return entry{Path: path, Kind: "folder", Class: "shared", Mode: "0755"}
}

func link(path, target string) entry {
	return entry{Path: path, Kind: "link", Class: "shared", Target: target}
}

// forged is a bundle, good until somebody changes it.
type forged struct {
	entries []entry
	profile string // JSON
	tier    string
	count   int   // entries, if not as many as there are
	bytes   int64 // in files, if not as many as there are

	lines     func(lines []string) []string        // of the manifest, each with its end
	signature func(manifest [32]byte) []byte       // the signature's member
	members   func(all []member) []member          // of the tar
	tail      func(tarball []byte) []byte          // the tar
	packed    func(tarball []byte) (packed []byte) // instead of compressing
	after     func(packed []byte) []byte           // the file
}

// member is one of the tar.
type member struct {
	header *tar.Header
	body   string
}

func good() *forged {
	return &forged{
		profile: `{"name":"example","include":["."]}`, tier: "dev", count: -1, bytes: -1,
		entries: []entry{folder("conf"), file("conf/a.xml", "<a/>"), file("conf/b.txt", strings.Repeat("b", 3000)), link("conf/l", "a.xml"), file("z", "")},
	}
}

func with(entries ...entry) *forged {
	f := good()
	f.entries = entries
	return f
}

func jsonOf(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return b.String()
}

func (f *forged) manifest() string {
	count, bytes := len(f.entries), int64(0)
	for _, e := range f.entries {
		bytes += e.Size
	}
	if f.count >= 0 {
		count = f.count
	}
	if f.bytes >= 0 {
		bytes = f.bytes
	}
	lines := []string{fmt.Sprintf(`{"format":"coterie-bundle/1","profile":%s,"tier":%s,"entries":%d,"bytes":%d}`+"\n", f.profile, strings.TrimSuffix(jsonOf(f.tier), "\n"), count, bytes)}
	for _, e := range f.entries {
		lines = append(lines, jsonOf(e))
	}
	if f.lines != nil {
		lines = f.lines(lines)
	}
	return strings.Join(lines, "")
}

func (e entry) tar() *tar.Header {
	if e.member != nil {
		return e.member
	}
	var mode int64
	if _, err := fmt.Sscanf(e.Mode, "%o", &mode); err != nil {
		mode = 0o777
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: e.Path, Mode: mode, Size: int64(len(e.body)), ModTime: time.Unix(e.MTime, 0)}
	switch e.Kind {
	case "folder":
		h.Typeflag, h.Name = tar.TypeDir, e.Path+"/"
	case "link":
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Target
	}
	return h
}

func plain(name, body string) member {
	return member{&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(body)), ModTime: time.Unix(0, 0)}, body}
}

// write gives the file. A member that no tar can have ends it: its line in the manifest
// is what must be refused.
func (f *forged) write() []byte {
	text := f.manifest()
	var vouched []byte
	if f.signature != nil {
		vouched = f.signature(sha256.Sum256([]byte(text)))
	}
	all := []member{plain(".coterie/manifest", text), plain(".coterie/signature", string(vouched))}
	for _, e := range f.entries {
		all = append(all, member{e.tar(), e.body})
	}
	if f.members != nil {
		all = f.members(all)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range all {
		if w.WriteHeader(m.header) != nil {
			break
		}
		if _, err := w.Write([]byte(m.body)); err != nil {
			break
		}
	}
	w.Close() // an error is of a member that was cut short on purpose
	text2 := b.Bytes()
	if f.tail != nil {
		text2 = f.tail(text2)
	}
	out := pack(text2)
	if f.packed != nil {
		out = f.packed(text2)
	}
	if f.after != nil {
		out = f.after(out)
	}
	return out
}

func pack(text []byte) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithWindowSize(4<<20))
	if err != nil {
		panic(err)
	}
	defer w.Close()
	return w.EncodeAll(text, nil)
}

// signedBy is a signature as it should be, but for what change makes of it.
func signedBy(key ed25519.PrivateKey, change func(fingerprint *string, signature []byte)) func([32]byte) []byte {
	return func(manifest [32]byte) []byte {
		signature := ed25519.Sign(key, append([]byte("coterie bundle 1\x00"), manifest[:]...))
		name := bundle.Fingerprint(key.Public().(ed25519.PublicKey))
		if change != nil {
			change(&name, signature)
		}
		return []byte(jsonOf(struct {
			Key       string `json:"key"`
			Signature []byte `json:"ed25519"`
		}{name, signature}))
	}
}
