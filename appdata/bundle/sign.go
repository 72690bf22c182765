package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"

	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// purpose keeps a signature of a bundle from being one of anything else.
const purpose = "coterie bundle 1\x00"

// signature is the second member of a bundle; nothing when nobody signed it.
type signature struct {
	Key       string `json:"key"` // fingerprint
	Signature []byte `json:"ed25519"`
}

// maxSignature is more than a signature takes.
const maxSignature = 1 << 10

// Fingerprint names a public key: 32 hexadecimal digits.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:16])
}

func signed(manifest [sha256.Size]byte) []byte { return append([]byte(purpose), manifest[:]...) }

// sign gives the text of the signature of a manifest.
func sign(key ed25519.PrivateKey, manifest [sha256.Size]byte) ([]byte, error) {
	if key == nil {
		return nil, nil
	}
	var b bytes.Buffer
	err := writeLine(&b, signature{Key: Fingerprint(key.Public().(ed25519.PublicKey)), Signature: ed25519.Sign(key, signed(manifest))})
	return b.Bytes(), err
}

func readSignature(in io.Reader) (signature, error) {
	var s signature
	text, err := io.ReadAll(io.LimitReader(in, maxSignature+1))
	if err != nil || len(text) == 0 {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fault(Damaged, "", "the signature cannot be read: %v", err)
	}
	var again bytes.Buffer
	if err := writeLine(&again, s); err != nil || !bytes.Equal(again.Bytes(), text) || len(s.Signature) != ed25519.SignatureSize {
		return s, fault(Damaged, "", "the signature is not as it would be written")
	}
	return s, nil
}

// MakeKey writes a new key to a file that is not there yet, for its owner only, and its
// public half beside it, with .pub.
func MakeKey(name string) (ed25519.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	open, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Create(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return nil, err
	}
	return public, atomicfile.Write(name+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: open}), 0o644)
}

// ReadKey reads a private key, which only its owner may read.
func ReadKey(name string) (ed25519.PrivateKey, error) {
	block, err := readPEM(name, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(block)
	if ed, ok := key.(ed25519.PrivateKey); ok && err == nil {
		return ed, nil
	}
	return nil, fault(BadKey, name, "no Ed25519 key")
}

// ReadPublicKey reads the key by which bundles are believed.
func ReadPublicKey(name string) (ed25519.PublicKey, error) {
	block, err := readPEM(name, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(block)
	if ed, ok := key.(ed25519.PublicKey); ok && err == nil {
		return ed, nil
	}
	return nil, fault(BadKey, name, "no Ed25519 key")
}

func readPEM(name, kind string) (der []byte, err error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault(BadKey, name, "there is no such file")
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if kind == "PRIVATE KEY" && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fault(BadKey, name, "others than its owner may read it: chmod 600")
	}
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fault(BadKey, name, "has no %s in PEM", kind)
	}
	return block.Bytes, nil
}
