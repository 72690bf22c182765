package bundle

import (
	"archive/tar"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/coterie-ha/coterie/appdata"
)

// The members that are before the entries.
const (
	manifestMember  = ownFolder + "/manifest"
	signatureMember = ownFolder + "/signature"
)

// overhead is more than a member takes beside its content: two headers, and the records of
// the longest path and the longest target.
const overhead = 8 << 10

// Usual is how many bytes the files of a bundle have at most, unless more are allowed.
const Usual = 64 << 30

// Reader reads a bundle from its beginning to its end, and believes nothing.
type Reader struct {
	*Manifest
	Digest appdata.Digest // of the manifest: it stands for all of the bundle

	signature signature
	members   *tar.Reader
	read      *tally
	decoder   *zstd.Decoder
}

// Open reads what is before the entries. Files of more than most bytes are refused.
func Open(in io.Reader, most int64) (*Reader, error) {
	decoder, err := unpack(in)
	if err != nil {
		return nil, err
	}
	r := &Reader{decoder: decoder, read: &tally{in: decoder, limit: MaxManifest + maxSignature + 2*overhead}}
	r.members = tar.NewReader(r.read)
	if err := r.open(most); err != nil {
		decoder.Close()
		return nil, unpackFault(err)
	}
	return r, nil
}

// Close gives back what reading took.
func (r *Reader) Close() { r.decoder.Close() }

func (r *Reader) open(most int64) error {
	if err := r.member(manifestMember, MaxManifest); err != nil {
		return err
	}
	sum := sha256.New()
	var err error
	if r.Manifest, err = readManifest(io.TeeReader(r.members, sum)); err != nil {
		return err
	}
	sum.Sum(r.Digest[:0])
	if err := r.member(signatureMember, maxSignature); err != nil {
		return err
	}
	if r.signature, err = readSignature(r.members); err != nil {
		return err
	}
	if r.Bytes > most {
		return fault(TooLarge, "", "%d bytes of files; %d are allowed", r.Bytes, most)
	}
	r.read.limit = r.read.n + r.Bytes + int64(r.Entries+1)*overhead
	return nil
}

// member goes on to one of the first two members.
func (r *Reader) member(name string, most int64) error {
	h, err := r.members.Next()
	if err != nil {
		return err
	}
	if h.Name == name && h.Size > most {
		return fault(TooLarge, name, "%d bytes; %d are allowed", h.Size, most)
	}
	want := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: h.Size, Mode: 0o644, ModTime: time.Unix(0, 0)}
	if !sameHeader(h, want) {
		return fault(Damaged, "", "no bundle: it begins with %.100q, and not with %s", h.Name, name)
	}
	return nil
}

// Signer is the fingerprint of the key that is said to have signed; "" for none. It
// proves nothing: see Believe.
func (r *Reader) Signer() string { return r.signature.Key }

// Believe says whether one of the keys has signed the bundle.
func (r *Reader) Believe(keys []ed25519.PublicKey) error {
	if r.signature.Key == "" {
		return fault(Unsigned, "", "it is not signed")
	}
	if len(keys) == 0 {
		return fault(Unsigned, "", "signed by %s, and no key is trusted here", r.signature.Key)
	}
	if slices.ContainsFunc(keys, func(key ed25519.PublicKey) bool {
		return Fingerprint(key) == r.signature.Key && ed25519.Verify(key, signed(r.Digest), r.signature.Signature)
	}) {
		return nil
	}
	for _, key := range keys {
		if Fingerprint(key) == r.signature.Key {
			return fault(WrongKey, "", "the signature is not by the key %s, as it says", r.signature.Key)
		}
	}
	return fault(WrongKey, "", "signed by %s, which is not trusted here", r.signature.Key)
}

// Each gives all entries in turn, and holds what is there against the manifest. Of a
// file take gets the content, of which nothing is proved before Each has returned; what
// it leaves is read as well. A nil take is for who wants nothing but the proof.
func (r *Reader) Each(ctx context.Context, take func(e *Entry, content io.Reader) error) error {
	buffer := make([]byte, 256<<10)
	for i := range r.Files {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := r.entry(ctx, &r.Files[i], take, buffer); err != nil {
			return unpackFault(err)
		}
	}
	return unpackFault(r.end())
}

func (r *Reader) entry(ctx context.Context, e *Entry, take func(*Entry, io.Reader) error, buffer []byte) error {
	h, err := r.members.Next()
	if errors.Is(err, io.EOF) {
		return fault(Damaged, e.Path, "is missing, and all that follows")
	}
	if err != nil {
		return err
	}
	if !sameHeader(h, e.header()) {
		return fault(Damaged, e.Path, "the bundle has %.200q, mode %o, %d bytes in its place", h.Name, h.Mode, h.Size)
	}
	if e.Kind != appdata.File {
		if take == nil {
			return nil
		}
		return take(e, nil)
	}
	sum := sha256.New()
	content := io.TeeReader(heed(ctx, r.members), sum)
	if take != nil {
		if err := take(e, content); err != nil {
			return err
		}
	}
	if _, err := io.CopyBuffer(onlyWriter{io.Discard}, content, buffer); err != nil {
		return err
	}
	if appdata.Digest(sum.Sum(nil)) != e.Digest {
		return fault(Damaged, e.Path, "its content is not what the manifest says")
	}
	return nil
}

// end wants nothing after the last entry but the end of a tar.
func (r *Reader) end() error {
	last := int64(0)
	if n := len(r.Files); n > 0 {
		last = r.Files[n-1].Size
	}
	want := r.read.n + -last&511 + 1024
	h, err := r.members.Next()
	switch {
	case err == nil:
		return fault(Damaged, h.Name, "is not in the manifest")
	case !errors.Is(err, io.EOF):
		return err
	case r.read.n < want:
		return fault(Damaged, "", "ends too early")
	}
	if n, err := r.read.Read(make([]byte, 1)); n > 0 {
		return fault(Damaged, "", "goes on after its end")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// header is the member of an entry.
func (e *Entry) header() *tar.Header {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: e.Path, Size: e.Size, Mode: int64(e.Mode), ModTime: time.Unix(e.MTime, 0)}
	switch e.Kind {
	case appdata.Folder:
		h.Typeflag, h.Name = tar.TypeDir, e.Path+"/"
	case appdata.Link:
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.Target, 0o777
	}
	return h
}

// sameHeader says that a member is the one that would be written, and no other kind of tar.
func sameHeader(h, want *tar.Header) bool {
	for key := range h.PAXRecords {
		if key != "path" && key != "linkpath" && key != "size" {
			return false
		}
	}
	return h.Typeflag == want.Typeflag && h.Name == want.Name && h.Linkname == want.Linkname && h.Size == want.Size && h.Mode == want.Mode &&
		h.ModTime.Equal(want.ModTime) && h.Uid == 0 && h.Gid == 0 && h.Uname == "" && h.Gname == "" && h.Devmajor == 0 && h.Devminor == 0 &&
		(h.Format == tar.FormatUSTAR || h.Format == tar.FormatPAX)
}

// tally counts what was read, and ends where more comes than there may be.
type tally struct {
	in       io.Reader
	n, limit int64
}

func (t *tally) Read(p []byte) (int, error) {
	if t.n >= t.limit {
		return 0, fault(TooLarge, "", "has more than its manifest says")
	}
	if int64(len(p)) > t.limit-t.n {
		p = p[:t.limit-t.n]
	}
	n, err := t.in.Read(p)
	t.n += int64(n)
	return n, err
}

// heed is a reader until nobody wants to know any more.
func heed(ctx context.Context, in io.Reader) io.Reader {
	return reading(func(p []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return in.Read(p)
	})
}

type reading func(p []byte) (int, error)

func (r reading) Read(p []byte) (int, error) { return r(p) }

// onlyWriter keeps a copy from going another way than by the buffer.
type onlyWriter struct{ io.Writer }
