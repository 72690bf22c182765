package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrSeal means that something does not open: it is sealed to another, belongs to
// another cluster, keystore or version, or was altered.
var ErrSeal = errors.New("it does not open with this key, in this place")

// ErrNewer means that something is sealed in a form that this program does not know:
// a newer one sealed it.
var ErrNewer = errors.New("it is sealed by a newer version of coterie")

// ErrForged means that a sealing key is not signed by the identity of its node.
var ErrForged = errors.New("the sealing key is not signed by the node's identity")

// A version of a keystore is encrypted once, by a key of its own, and that key is
// sealed to each recipient (HPKE, RFC 9180): ML-KEM-768 with X25519, so that who
// copies the database today cannot open it with a quantum computer later.
//
//	content  = AES-256-GCM(key, bundle)             bound to the place
//	copy(r)  = HPKE(public key of r, key)           bound to the place and to r
var (
	kem  = hpke.MLKEM768X25519()
	kdf  = hpke.HKDFSHA256()
	aead = hpke.AES256GCM()
)

// What is sealed in another form than this one says so first: sealMark, the number of
// the form, and a newline. The first form has no such beginning.
const sealMark = "coterie seal "

// known refuses what is sealed in a form that this program does not know.
func known(p Place, texts ...[]byte) error {
	for _, text := range texts {
		rest, marked := bytes.CutPrefix(text, []byte(sealMark))
		if !marked {
			continue
		}
		form, _, _ := bytes.Cut(rest[:min(len(rest), 12)], []byte("\n"))
		return fmt.Errorf("open version %d of %s: %w, in form %.12q, and this one knows form 1", p.Version, p.Name, ErrNewer, form)
	}
	return nil
}

// Place is where a sealed version belongs. It opens nowhere else: an old row under
// a new number, or one of another cluster, is noticed.
type Place struct {
	Cluster string // id
	Name    string // of the keystore
	Version int64
}

func (p Place) bind(recipient string) []byte {
	return []byte(strings.Join([]string{"coterie keystore v1", p.Cluster, p.Name, strconv.FormatInt(p.Version, 10), recipient}, "\n"))
}

// Bundle is what is sealed: a keystore with what opens it.
type Bundle struct {
	File  []byte   `json:"file"`
	Store string   `json:"password"`
	Keys  []string `json:"key_passwords,omitempty"`
	Alias string   `json:"alias"`
}

// Passwords are those of the bundle.
func (b Bundle) Passwords() Passwords {
	p := Passwords{Store: Password(b.Store)}
	for _, k := range b.Keys {
		p.Keys = append(p.Keys, Password(k))
	}
	return p
}

// String hides it.
func (Bundle) String() string { return redacted }

// GoString hides it from %#v.
func (Bundle) GoString() string { return redacted }

// Recipient is whom a version is sealed to.
type Recipient struct {
	Name string
	Seal []byte // public key
}

// Fingerprint names its key.
func (r Recipient) Fingerprint() string { return SealFingerprint(r.Seal) }

// SealFingerprint is the SHA-256 of a sealing key.
func SealFingerprint(public []byte) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:])
}

// Copy is the key of a version, sealed to a recipient.
type Copy struct {
	Recipient string
	Seal      string // fingerprint of the key that it is sealed to
	Key       []byte
}

// Seal encrypts a bundle for a place, to all recipients.
func Seal(p Place, b Bundle, to []Recipient) (content []byte, copies []Copy, err error) {
	plain, err := json.Marshal(b)
	if err != nil {
		return nil, nil, fmt.Errorf("seal version %d: %w", p.Version, err)
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, nil, fmt.Errorf("seal version %d: %w", p.Version, err)
	}
	box, err := contentCipher(key)
	if err != nil {
		return nil, nil, fmt.Errorf("seal version %d: %w", p.Version, err)
	}
	content = box.Seal(nil, nil, plain, p.bind(""))
	for _, r := range to {
		c, err := sealTo(p, key, r)
		if err != nil {
			return nil, nil, err
		}
		copies = append(copies, c)
	}
	return content, copies, nil
}

func contentCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func sealTo(p Place, key []byte, r Recipient) (Copy, error) {
	public, err := kem.NewPublicKey(r.Seal)
	if err != nil {
		return Copy{}, fmt.Errorf("seal version %d to %s: %w", p.Version, r.Name, err)
	}
	sealed, err := hpke.Seal(public, kdf, aead, p.bind(r.Name), key)
	if err != nil {
		return Copy{}, fmt.Errorf("seal version %d to %s: %w", p.Version, r.Name, err)
	}
	return Copy{Recipient: r.Name, Seal: r.Fingerprint(), Key: sealed}, nil
}

// Opener opens what is sealed to one recipient.
type Opener struct {
	Name    string
	private hpke.PrivateKey
}

// NodeOpener is the opener of a node, derived from its identity: a node has one
// secret to keep, not two.
func NodeOpener(node string, identity ed25519.PrivateKey) (*Opener, error) {
	seed, err := hkdf.Key(sha256.New, identity.Seed(), nil, "coterie keystore sealing key v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the sealing key of %s: %w", node, err)
	}
	private, err := kem.DeriveKeyPair(seed)
	if err != nil {
		return nil, fmt.Errorf("derive the sealing key of %s: %w", node, err)
	}
	return &Opener{Name: node, private: private}, nil
}

// Recipient is whom others seal to.
func (o *Opener) Recipient() Recipient {
	return Recipient{Name: o.Name, Seal: o.private.PublicKey().Bytes()}
}

// Open opens the copy of this recipient, and with it the content.
func (o *Opener) Open(p Place, content, copied []byte) (Bundle, error) {
	if err := known(p, content); err != nil {
		return Bundle{}, err
	}
	key, err := o.key(p, copied)
	if err != nil {
		return Bundle{}, err
	}
	box, err := contentCipher(key)
	if err != nil {
		return Bundle{}, fmt.Errorf("open version %d of %s: %w", p.Version, p.Name, ErrSeal)
	}
	plain, err := box.Open(nil, nil, content, p.bind(""))
	if err != nil {
		return Bundle{}, fmt.Errorf("open version %d of %s: %w", p.Version, p.Name, ErrSeal)
	}
	var b Bundle
	if err := json.Unmarshal(plain, &b); err != nil {
		return Bundle{}, fmt.Errorf("open version %d of %s: %w", p.Version, p.Name, ErrSeal)
	}
	return b, nil
}

func (o *Opener) key(p Place, copied []byte) ([]byte, error) {
	if err := known(p, copied); err != nil {
		return nil, err
	}
	key, err := hpke.Open(o.private, kdf, aead, p.bind(o.Name), copied)
	if err != nil {
		return nil, fmt.Errorf("open version %d of %s: %w", p.Version, p.Name, ErrSeal)
	}
	return key, nil
}

// Share seals the key of a version, which this recipient has, to another.
func (o *Opener) Share(p Place, copied []byte, with Recipient) (Copy, error) {
	key, err := o.key(p, copied)
	if err != nil {
		return Copy{}, err
	}
	return sealTo(p, key, with)
}

// signedSeal is what the identity of a node signs.
func signedSeal(cluster, node string, seal []byte) []byte {
	return append([]byte("coterie sealing key v1\n"+cluster+"\n"+node+"\n"), seal...)
}

// SignSeal has the identity of a node say that a sealing key is the node's.
func SignSeal(identity ed25519.PrivateKey, cluster string, r Recipient) []byte {
	return ed25519.Sign(identity, signedSeal(cluster, r.Name, r.Seal))
}

// Claim is what a row says of a node's sealing key.
type Claim struct {
	Recipient
	ID        string // of the node: the fingerprint of its identity
	Identity  []byte // public
	Signature []byte
}

// Verify tells whether the identity whose fingerprint is the node's id has signed
// the key. Who can write rows cannot thereby have versions sealed to a key of his.
func (c Claim) Verify(cluster string) error {
	sum := sha256.Sum256(c.Identity)
	if len(c.Identity) != ed25519.PublicKeySize || hex.EncodeToString(sum[:16]) != c.ID ||
		!ed25519.Verify(c.Identity, signedSeal(cluster, c.Name, c.Seal), c.Signature) {
		return fmt.Errorf("%s: %w", c.Name, ErrForged)
	}
	return nil
}

// recoveryType is the type of the PEM block of a recovery key.
const recoveryType = "COTERIE RECOVERY KEY"

// NewRecovery makes a recovery key: the file to be kept offline, and the recipient.
func NewRecovery() (file []byte, r Recipient, err error) {
	private, err := kem.GenerateKey()
	if err != nil {
		return nil, Recipient{}, fmt.Errorf("make a recovery key: %w", err)
	}
	secret, err := private.Bytes()
	if err != nil {
		return nil, Recipient{}, fmt.Errorf("make a recovery key: %w", err)
	}
	file = pem.EncodeToMemory(&pem.Block{Type: recoveryType, Bytes: secret})
	return file, recovery(private).Recipient(), nil
}

func recovery(private hpke.PrivateKey) *Opener {
	return &Opener{Name: "recovery/" + SealFingerprint(private.PublicKey().Bytes())[:16], private: private}
}

// OpenRecovery reads the file of a recovery key.
func OpenRecovery(file []byte) (*Opener, error) {
	block, _ := pem.Decode(file)
	if block == nil || block.Type != recoveryType {
		return nil, fmt.Errorf("%w: not a recovery key", ErrFormat)
	}
	private, err := kem.NewPrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: the recovery key is damaged", ErrMalformed)
	}
	return recovery(private), nil
}
