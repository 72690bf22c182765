package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
)

// hostile is a bundle that was made to do harm, and the code by which it is refused.
type hostile struct {
	name string
	want string
	data []byte
	args []string // instead of --unsigned
}

type table struct{ all []hostile }

func (t *table) add(want, name string, f *forged) {
	t.all = append(t.all, hostile{name: name, want: want, data: f.write()})
}

// paths lead elsewhere, or may be taken for something else by some file system.
func (t *table) paths() {
	long := strings.Repeat("n", 256)
	for _, path := range []string{
		"../x", "../../../../../../etc/passwd", "conf/../../x", "conf/..", "..", ".", "", "./x", "conf/./x", "conf//x", "conf/", "/", "//x", "/etc/passwd", "/x",
		`..\x`, `conf\..\..\x`, `C:\x`, `C:x`, "c:/x", `\\server\share\x`, `\x`, "x:stream", "x::$DATA", "x\x00y", "x\ny", "x\ry", "x\ty", "x\x1b[2Jy", "x\x7fy", "x\x01y",
		"x\u202ey", "x\u200by", "x\u2028y", "\ufeffx", "x\u00a0y", "x\u00ad", "x\u0085", "x\ue000", "con", "CON", "con.txt", "Con .txt", "nul", "aux.h", "com1", "COM9.log", "lpt1", "LPT9", "lpt¹.x", "prn", "conin$", "CONOUT$",
		"x.", "x ", " x", "...", "x..", "PROGRA~1", "CONFIG~2.XML", ".coterie/cluster.json", ".COTERIE/x", ".coterie", ".Coterie/bundle/1.done/journal", ".nfs0001", ".fuse_hidden01",
		long, "conf/" + long, strings.Repeat("d/", 501) + "x", strings.Repeat("a/", 64) + "x", "x*y", "x?y", "x<y", "x>y", "x|y", `x"y`, "nowhere/x", "conf/nowhere/x",
	} {
		t.add("COT-361", fmt.Sprintf("file %.40q", path), with(folder("conf"), file(path, "evil")))
		t.add("COT-361", fmt.Sprintf("folder %.40q", path), with(folder("conf"), folder(path)))
	}
	for name, line := range map[string]string{
		"no UTF-8":          `{"path":"` + "x\xff" + `","kind":"folder","class":"shared","mode":"0755"}` + "\n",
		"half a surrogate":  `{"path":"x\ud800","kind":"folder","class":"shared","mode":"0755"}` + "\n",
		"spelled by number": `{"path":"\u0078","kind":"folder","class":"shared","mode":"0755"}` + "\n",
	} {
		f := with(folder("x"))
		f.lines = func(l []string) []string { return []string{l[0], line} }
		t.add("COT-360", "path with "+name, f)
	}
}

// links lead out, or are written through.
func (t *table) links() {
	for _, target := range []string{
		"/etc/passwd", "/", "../../etc/passwd", "../..", "../../x", "", ".", "./a.xml", "a//b", "a/../../../x", `..\..\x`, `C:\x`, "x:y", "x\x00y", "x\ny", "../.coterie/cluster.json", "../.COTERIE",
		strings.Repeat("t", 1001), "x\u202ey", "sub/", "//host/x",
	} {
		t.add("COT-361", fmt.Sprintf("link to %.30q", target), with(folder("conf"), link("conf/l", target)))
	}
	t.add("COT-361", "a file through a link", with(folder("conf"), link("conf/l", "../other"), file("conf/l/x", "evil")))
	t.add("COT-361", "a link, then a folder of its name", with(folder("conf"), link("conf/l", "sub"), folder("conf/l"), file("conf/l/x", "evil")))
	t.add("COT-361", "a folder, then a link of its name", with(folder("conf"), folder("conf/l"), link("conf/l", "sub"), file("conf/l/x", "evil")))
	t.add("COT-361", "a file below a file", with(file("conf", "x"), file("conf/x", "evil")))
	linked := file("conf/h", "<a/>")
	linked.member = &tar.Header{Typeflag: tar.TypeLink, Name: "conf/h", Linkname: "../../etc/passwd", Mode: 0o644, ModTime: time.Unix(linked.MTime, 0)}
	t.add("COT-360", "a hard link out", with(folder("conf"), linked))
	linked.member = &tar.Header{Typeflag: tar.TypeSymlink, Name: "conf/h", Linkname: "/etc/passwd", Mode: 0o644, ModTime: time.Unix(linked.MTime, 0)}
	t.add("COT-360", "a link for a file", with(folder("conf"), linked))
	other := link("conf/l", "a.xml")
	other.member = &tar.Header{Typeflag: tar.TypeSymlink, Name: "conf/l", Linkname: "/etc/passwd", Mode: 0o777, ModTime: time.Unix(0, 0)}
	t.add("COT-360", "a link with another target than it says", with(folder("conf"), other))
}

// members are not what the manifest says they are.
func (t *table) members() {
	right := file("conf/x", "body")
	for name, change := range map[string]func(h *tar.Header){
		"a character device": func(h *tar.Header) { h.Typeflag, h.Size = tar.TypeChar, 0 },
		"a block device":     func(h *tar.Header) { h.Typeflag, h.Size, h.Devmajor = tar.TypeBlock, 0, 8 },
		"a fifo":             func(h *tar.Header) { h.Typeflag, h.Size = tar.TypeFifo, 0 },
		"a folder":           func(h *tar.Header) { h.Typeflag, h.Size = tar.TypeDir, 0 },
		"a contiguous file":  func(h *tar.Header) { h.Typeflag = tar.TypeCont },
		"another name":       func(h *tar.Header) { h.Name = "../conf/x" },
		"an absolute name":   func(h *tar.Header) { h.Name = "/conf/x" },
		"setuid":             func(h *tar.Header) { h.Mode = 0o4755 },
		"another mode":       func(h *tar.Header) { h.Mode = 0o666 },
		"an owner":           func(h *tar.Header) { h.Uid = 1000 },
		"an owner's name":    func(h *tar.Header) { h.Uname = "root" },
		"another time":       func(h *tar.Header) { h.ModTime = time.Unix(5, 0) },
		"GNU's form":         func(h *tar.Header) { h.Format = tar.FormatGNU },
		"an attribute":       func(h *tar.Header) { h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "x"} },
		"a comment":          func(h *tar.Header) { h.PAXRecords = map[string]string{"comment": "x"} },
		"a size of its own":  func(h *tar.Header) { h.Size = 3 },
	} {
		e := right
		h := *e.tar()
		change(&h)
		e.member = &h
		if h.Size == 0 || h.Size == 3 {
			e.body = e.body[:h.Size]
		}
		t.add("COT-360", "a member with "+name, with(folder("conf"), e))
	}
	for _, kind := range []string{"", "File", "hardlink", "device", "fifo", "socket", "unknown"} {
		e := right
		e.Kind = kind
		t.add("COT-360", fmt.Sprintf("an entry of the kind %q", kind), with(folder("conf"), e))
	}
	moved := func(name string, f func(all []member) []member) {
		b := good()
		b.members = f
		t.add("COT-360", name, b)
	}
	moved("one member too many at the end", func(all []member) []member { return append(all, plain("more", "x")) })
	moved("one member too many in between", func(all []member) []member {
		return append(all[:4:4], append([]member{plain("more", "x")}, all[4:]...)...)
	})
	moved("a member before the manifest", func(all []member) []member { return append([]member{plain("more", "x")}, all...) })
	moved("a global header", func(all []member) []member {
		return append([]member{{&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"path": "../x"}}, ""}}, all...)
	})
	moved("two manifests", func(all []member) []member { return append(all[:1:1], all...) })
	moved("no manifest", func(all []member) []member { return all[1:] })
	moved("no signature's member", func(all []member) []member { return append(all[:1:1], all[2:]...) })
	moved("the last member missing", func(all []member) []member { return all[:len(all)-1] })
	moved("the first member missing", func(all []member) []member { return append(all[:2:2], all[3:]...) })
	moved("two members exchanged", func(all []member) []member { all[3], all[4] = all[4], all[3]; return all })
	moved("a member twice", func(all []member) []member { return append(all[:4:4], all[3:]...) })
	moved("another content", func(all []member) []member { all[3].body = "<b/>"; return all })
	moved("no members", func([]member) []member { return nil })
	sparse := good()
	sparse.members = func(all []member) []member { all[3].header = &tar.Header{}; return all[:3] }
	sparse.tail = func(text []byte) []byte { return append(text[:len(text)-1024], gnuSparse("conf/a.xml", 4)...) }
	t.add("COT-360", "a sparse member", sparse)
}

// gnuSparse is a header that says of nothing on the disk that it is a large file.
func gnuSparse(name string, size int64) []byte {
	b := make([]byte, 512+1024)
	copy(b, name)
	copy(b[100:], "0000644\x000000000\x000000000\x0000000000000\x0014525130000\x00        S")
	copy(b[257:], "ustar  \x00")
	copy(b[483:], fmt.Sprintf("%011o\x00", size))
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// lines of the manifest that are not as they would be written, or say what cannot be.
func (t *table) manifests() {
	for name, of := range map[string]struct {
		want   string
		change func(e *entry)
	}{
		"a negative size":        {"COT-362", func(e *entry) { e.Size = -1 }},
		"a size of exbibytes":    {"COT-362", func(e *entry) { e.Size = 1 << 62 }},
		"a size of 100 GiB":      {"COT-362", func(e *entry) { e.Size = 100 << 30 }},
		"a smaller size":         {"COT-360", func(e *entry) { e.Size-- }},
		"a larger size":          {"COT-360", func(e *entry) { e.Size++ }},
		"setuid":                 {"COT-360", func(e *entry) { e.Mode = "4755" }},
		"a short mode":           {"COT-360", func(e *entry) { e.Mode = "644" }},
		"a mode of words":        {"COT-360", func(e *entry) { e.Mode = "rw-r--r--" }},
		"a negative mode":        {"COT-360", func(e *entry) { e.Mode = "-001" }},
		"no mode":                {"COT-360", func(e *entry) { e.Mode = "" }},
		"a time before 1970":     {"COT-360", func(e *entry) { e.MTime = -1 }},
		"a time after all":       {"COT-360", func(e *entry) { e.MTime = 1 << 40 }},
		"no digest":              {"COT-360", func(e *entry) { e.SHA256 = "" }},
		"a short digest":         {"COT-360", func(e *entry) { e.SHA256 = e.SHA256[:62] }},
		"a digest of no hex":     {"COT-360", func(e *entry) { e.SHA256 = strings.Repeat("g", 64) }},
		"a digest in capitals":   {"COT-360", func(e *entry) { e.SHA256 = strings.Repeat("AB", 32) }},
		"a digest of zeros":      {"COT-360", func(e *entry) { e.SHA256 = strings.Repeat("0", 64) }},
		"another digest":         {"COT-360", func(e *entry) { e.SHA256 = strings.Repeat("ab", 32) }},
		"a target":               {"COT-360", func(e *entry) { e.Target = "/etc/passwd" }},
		"the class secret":       {"COT-360", func(e *entry) { e.Class = "secret" }},
		"the class per_host":     {"COT-360", func(e *entry) { e.Class = "per_host" }},
		"the class ignored":      {"COT-360", func(e *entry) { e.Class = "ignored" }},
		"the class tier_bound":   {"COT-360", func(e *entry) { e.Class = "tier_bound" }},
		"the class of nobody":    {"COT-360", func(e *entry) { e.Class = "trusted" }},
		"no class":               {"COT-360", func(e *entry) { e.Class = "" }},
		"a name that is ignored": {"COT-360", func(e *entry) { e.Path = "conf/x.pid" }},
	} {
		e := file("conf/x", "body")
		of.change(&e)
		t.add(of.want, "an entry with "+name, with(folder("conf"), e))
	}
	sized := folder("conf")
	sized.Size = 5
	t.add("COT-360", "a folder with a size", with(sized))
	t.add("COT-361", "the same path twice", with(file("a", "1"), file("a", "2")))
	t.add("COT-361", "twins in case", with(file("A", "1"), file("a", "2")))
	t.add("COT-361", "twin folders", with(folder("Conf"), file("Conf/x", "1"), folder("conf"), file("conf/y", "2")))
	t.add("COT-361", "twins by the sign for Kelvin", with(file("k", "1"), file("\u212a", "2")))
	t.add("COT-361", "twins by a long s", with(file("s", "1"), file("\u017f", "2")))
	t.add("COT-360", "out of order", with(file("b", "1"), file("a", "2")))
	for name, of := range map[string]struct {
		want   string
		change func(f *forged)
	}{
		"more entries than there are":  {"COT-360", func(f *forged) { f.count = 6 }},
		"fewer entries than there are": {"COT-360", func(f *forged) { f.count = 4 }},
		"no entries":                   {"COT-360", func(f *forged) { f.count = 0 }},
		"too many entries":             {"COT-362", func(f *forged) { f.count = 200_001 }},
		"other bytes than there are":   {"COT-360", func(f *forged) { f.bytes = 1 }},
		"bytes of a petabyte":          {"COT-360", func(f *forged) { f.bytes = 1 << 50 }},
		"no tier":                      {"COT-360", func(f *forged) { f.tier = "" }},
		"a tier that steers":           {"COT-360", func(f *forged) { f.tier = "dev\x1b[2J" }},
		"a tier without an end":        {"COT-360", func(f *forged) { f.tier = strings.Repeat("d", 101) }},
		"a profile without include":    {"COT-360", func(f *forged) { f.profile = `{"name":"x","include":[]}` }},
		"a profile that leads out":     {"COT-360", func(f *forged) { f.profile = `{"name":"x","include":["../.."]}` }},
		"a profile of a bad pattern":   {"COT-360", func(f *forged) { f.profile = `{"name":"x","include":["[a"]}` }},
		"a profile that has not these": {"COT-360", func(f *forged) { f.profile = `{"name":"x","include":["lib"]}` }},
		"a profile with a field more":  {"COT-360", func(f *forged) { f.profile = `{"name":"x","include":["."],"run":"rm"}` }},
		"a profile twice":              {"COT-360", func(f *forged) { f.profile += `,"profile":{"name":"y","include":["."]}` }},
		"an endless profile":           {"COT-362", func(f *forged) { f.profile = `{"name":"` + strings.Repeat("x", 300<<10) + `","include":["."]}` }},
	} {
		f := good()
		of.change(f)
		t.add(of.want, "a manifest with "+name, f)
	}
	for name, of := range map[string]struct {
		want   string
		change func(l []string) []string
	}{
		"nothing":             {"COT-360", func([]string) []string { return nil }},
		"no JSON":             {"COT-360", func([]string) []string { return []string{"hello\n"} }},
		"an array":            {"COT-360", func(l []string) []string { l[0] = "[" + strings.TrimSpace(l[0]) + "]\n"; return l }},
		"null":                {"COT-360", func(l []string) []string { l[1] = "null\n"; return l }},
		"another form":        {"COT-360", func(l []string) []string { l[0] = strings.Replace(l[0], "bundle/1", "bundle/2", 1); return l }},
		"a field more":        {"COT-360", func(l []string) []string { l[1] = strings.Replace(l[1], `{`, `{"uid":0,`, 1); return l }},
		"a field twice":       {"COT-360", func(l []string) []string { l[1] = strings.Replace(l[1], `{`, `{"path":"../x",`, 1); return l }},
		"a field in capitals": {"COT-360", func(l []string) []string { l[1] = strings.Replace(l[1], `"path"`, `"PATH"`, 1); return l }},
		"a blank more":        {"COT-360", func(l []string) []string { l[1] = " " + l[1]; return l }},
		"lines of Windows":    {"COT-360", func(l []string) []string { l[1] = strings.TrimSpace(l[1]) + "\r\n"; return l }},
		"two on a line":       {"COT-360", func(l []string) []string { l[1] = strings.TrimSpace(l[1]); return l }},
		"an empty line":       {"COT-360", func(l []string) []string { return append(l, "\n") }},
		"half a line":         {"COT-360", func(l []string) []string { return append(l, `{"path":`) }},
		"a line without end":  {"COT-362", func(l []string) []string { return append(l, `{"path":"`+strings.Repeat("x", 300<<10)) }},
		"a line of 20 KiB":    {"COT-362", func(l []string) []string { l[1] = `{"path":"` + strings.Repeat("x", 20<<10) + "\"}\n"; return l }},
		"deep nesting": {"COT-360", func(l []string) []string {
			l[1] = strings.Repeat("[", 8000) + strings.Repeat("]", 8000) + "\n"
			return l
		}},
		"deep nesting on top": {"COT-360", func(l []string) []string {
			l[0] = strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000) + "\n"
			return l
		}},
		"a number of 10,000": {"COT-360", func(l []string) []string {
			l[1] = `{"path":"x","size":` + strings.Repeat("9", 10_000) + "}\n"
			return l
		}},
		"a fraction": {"COT-360", func(l []string) []string { l[2] = strings.Replace(l[2], `"size":4`, `"size":4.0`, 1); return l }},
	} {
		f := good()
		f.lines = of.change
		t.add(of.want, "a manifest with "+name, f)
	}
	large := good()
	large.members = func(all []member) []member { all[0].header.Size = 33 << 20; return all[:1] }
	t.add("COT-362", "a manifest of 33 MiB", large)
}

// packings cost memory or time, or end where they should not.
func (t *table) packings() {
	whole := good().write()
	raw := func(want, name string, data []byte) {
		t.all = append(t.all, hostile{name: name, want: want, data: data})
	}
	raw("COT-360", "nothing at all", nil)
	raw("COT-360", "a text", []byte("this is no bundle\n"))
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, "tar")
	z.Close()
	raw("COT-360", "gzip", zipped.Bytes())
	for i := range 40 {
		raw("COT-360", fmt.Sprintf("cut off after %d of 40", i), whole[:len(whole)*i/40])
	}
	for i := range 24 {
		flipped := bytes.Clone(whole)
		flipped[len(flipped)*i/24] ^= 0x10
		raw("COT-36", fmt.Sprintf("a bit flipped at %d of 24", i), flipped)
	}
	frame := func(window byte, blocks ...byte) []byte {
		return append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, window}, blocks...)
	}
	for _, log := range []byte{24, 27, 30, 31, 41} {
		raw("COT-362", fmt.Sprintf("a window of 2^%d", log), frame((log-10)<<3, 0x01, 0, 0))
	}
	raw("COT-360", "a reserved kind of block", frame(0x50, 0x07, 0, 0))
	raw("COT-360", "a dictionary", []byte{0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x99, 0x01, 0x01, 0x00, 0x00})
	raw("COT-362", "a frame of 2^60 bytes in one segment", binary.LittleEndian.AppendUint64([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0}, 1<<60))
	raw("COT-360", "zeros for gigabytes", bytes.Repeat(frame(0x50, rle(128<<10)...), 1<<14))
	bomb := func(want, name string, tail func([]byte) []byte) {
		f := good()
		f.tail = tail
		t.add(want, name, f)
	}
	bomb("COT-360", "a tar that goes on after its end", func(text []byte) []byte { return append(text, make([]byte, 512)...) })
	bomb("COT-362", "a tar that goes on for 64 MiB", func(text []byte) []byte {
		return append(text[:len(text)-1024], bytes.Repeat(pax("x", 400<<10), 160)...)
	})
	bomb("COT-360", "a header of 512 MiB", func(text []byte) []byte { return append(text[:len(text)-1024], paxHeader(512<<20)...) })
	bomb("COT-362", "headers before the manifest without end", func(text []byte) []byte { return append(bytes.Repeat(pax("x", 400<<10), 160), text...) })
	bomb("COT-360", "a tar without its end", func(text []byte) []byte { return text[:len(text)-1024] })
	bomb("COT-360", "a tar with half its end", func(text []byte) []byte { return text[:len(text)-512] })
	bomb("COT-360", "a tar whose end is not of zeros", func(text []byte) []byte { text[len(text)-1] = 1; return text })
	bomb("COT-360", "a wrong sum of a header", func(text []byte) []byte { text[148]++; return text })
	after := func(want, name string, change func(packed []byte) []byte) {
		f := good()
		f.after = change
		t.add(want, name, f)
	}
	after("COT-360", "a text after the end", func(p []byte) []byte { return append(p, "hello"...) })
	after("COT-36", "another bundle after the end", func(p []byte) []byte { return append(p, p...) })
	after("COT-36", "a frame of zeros after the end", func(p []byte) []byte { return append(p, frame(0x50, rle(100)...)...) })
	after("COT-360", "half a frame after the end", func(p []byte) []byte { return append(p, p[:10]...) })
}

// rle is a last block that says one byte so many times.
func rle(n int) []byte {
	header := uint32(n)<<3 | 1<<1 | 1
	return []byte{byte(header), byte(header >> 8), byte(header >> 16), 0}
}

// pax is a header that says of the next one what nobody wants to know, so many bytes.
func pax(key string, n int) []byte {
	record := fmt.Sprintf("%d %s=%s\n", n+len(key)+10, key, strings.Repeat("v", n+len(key)+10-len(fmt.Sprint(n+len(key)+10))-len(key)-3))
	out := append(paxHeader(int64(len(record))), record...)
	return append(out, make([]byte, -len(out)&511)...)
}

func paxHeader(size int64) []byte {
	b := make([]byte, 512)
	copy(b, "PaxHeaders.0/x")
	copy(b[100:], "0000644\x000000000\x000000000\x00"+fmt.Sprintf("%011o\x00", size)+"00000000000\x00        x")
	copy(b[257:], "ustar\x0000")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// signatures are none, of another, or of something else.
func (t *table) signatures(key, other ed25519.PrivateKey, trust string) {
	signed := func(want, name string, signature func([32]byte) []byte, args ...string) {
		f := good()
		f.signature = signature
		t.all = append(t.all, hostile{name: name, want: want, data: f.write(), args: args})
	}
	with := []string{"--trust", trust}
	signed("COT-363", "unsigned", nil, with...)
	signed("COT-363", "unsigned, and nobody is trusted", nil, "-q")
	signed("COT-363", "signed, and nobody is trusted", signedBy(key, nil), "-q")
	signed("COT-364", "signed by another", signedBy(other, nil), with...)
	signed("COT-364", "signed by another, which --unsigned does not excuse", signedBy(other, nil), append(with, "--unsigned")...)
	signed("COT-364", "signed by another in the name of the right one", signedBy(other, func(name *string, _ []byte) {
		var right string
		signedBy(key, func(n *string, _ []byte) { right = *n })([32]byte{})
		*name = right
	}), with...)
	signed("COT-364", "a bit of the signature flipped", signedBy(key, func(_ *string, s []byte) { s[20] ^= 1 }), with...)
	signed("COT-364", "the signature of another manifest", func([32]byte) []byte { return signedBy(key, nil)([32]byte{1}) }, with...)
	signed("COT-364", "a signature of zeros", signedBy(key, func(_ *string, s []byte) { clear(s) }), with...)
	signed("COT-360", "a signature with more in it", func(m [32]byte) []byte { return append(signedBy(key, nil)(m), "{}\n"...) }, with...)
	signed("COT-360", "a signature that is no JSON", func([32]byte) []byte { return []byte("trust me\n") }, with...)
	signed("COT-360", "a short signature", func([32]byte) []byte { return []byte(`{"key":"x","ed25519":"YWJj"}` + "\n") }, with...)
	signed("COT-362", "a signature of 2 KiB", func([32]byte) []byte { return bytes.Repeat([]byte("x"), 2<<10) }, with...)
}

func kinds(key, other ed25519.PrivateKey, trust string) []hostile {
	t := &table{}
	t.paths()
	t.links()
	t.members()
	t.manifests()
	t.packings()
	t.signatures(key, other, trust)
	return t.all
}
