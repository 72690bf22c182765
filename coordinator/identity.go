package coordinator

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/leases"
)

// ErrRunning means that another agent of this installation is at work.
var ErrRunning = errors.New("another agent runs from this state directory")

// Identity is what makes an installation this node and no other.
type Identity struct {
	Dir string // the state directory
	Key ed25519.PrivateKey
}

const (
	keyFile    = "node.key"
	formerFile = "session.json"
	lockFile   = "lock"
	markFile   = "token"
)

// OpenIdentity reads the identity kept in dir, or makes a new one there.
func OpenIdentity(dir string) (Identity, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Identity{}, fmt.Errorf("open identity: %w", err)
	}
	name := filepath.Join(dir, keyFile)
	doc, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return makeIdentity(dir)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("open identity: %w", err)
	}
	block, _ := pem.Decode(doc)
	if block == nil {
		return Identity{}, fmt.Errorf("open identity: %s is not PEM", name)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Identity{}, fmt.Errorf("open identity: %s: %w", name, err)
	}
	ed, ok := key.(ed25519.PrivateKey)
	if !ok {
		return Identity{}, fmt.Errorf("open identity: %s holds a %T, not an Ed25519 key", name, key)
	}
	return Identity{dir, ed}, nil
}

// FindIdentity reads the identity kept in dir. Unlike OpenIdentity it makes none.
func FindIdentity(dir string) (Identity, error) {
	if _, err := os.Stat(filepath.Join(dir, keyFile)); err != nil {
		return Identity{}, fmt.Errorf("find identity: %w", err)
	}
	return OpenIdentity(dir)
}

func makeIdentity(dir string) (Identity, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Identity{}, fmt.Errorf("make identity: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Identity{}, fmt.Errorf("make identity: %w", err)
	}
	doc := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := atomicfile.Write(filepath.Join(dir, keyFile), doc, 0o600); err != nil {
		return Identity{}, fmt.Errorf("make identity: %w", err)
	}
	return Identity{dir, key}, nil
}

// ID is the fingerprint of the identity's public key: 32 hexadecimal digits.
func (i Identity) ID() string {
	sum := sha256.Sum256(i.Key.Public().(ed25519.PublicKey))
	return hex.EncodeToString(sum[:16])
}

// life is the session that the last agent of this installation began.
type life struct {
	Node        string `json:"node"`
	Incarnation int64  `json:"incarnation"`
	Boot        string `json:"boot"`
	Lock        string `json:"lock"`
}

// Remember notes the session that this process began, for its successor.
func (i Identity) Remember(node string, incarnation int64) error {
	doc, err := json.Marshal(life{node, incarnation, Boot(), lockID(i.Dir)})
	if err != nil {
		return fmt.Errorf("remember session: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(i.Dir, formerFile), doc, 0o600); err != nil {
		return fmt.Errorf("remember session: %w", err)
	}
	return nil
}

// Forget forgets what Remember noted: nothing is known of that life any more.
func (i Identity) Forget() error {
	if err := os.Remove(filepath.Join(i.Dir, formerFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget session: %w", err)
	}
	return nil
}

// Former is the incarnation of this node's former life if its process is surely
// gone, else 0. Ask only while the state directory is locked. Whoever holds the
// lock that the former process held has outlived it; the lock of a copied
// directory proves nothing, nor does one from before this boot.
func (i Identity) Former(node string) int64 {
	doc, err := os.ReadFile(filepath.Join(i.Dir, formerFile))
	var l life
	if err != nil || json.Unmarshal(doc, &l) != nil || l.Node != node || l.Boot == "" || l.Boot != Boot() || l.Lock == "" || l.Lock != lockID(i.Dir) {
		return 0 // nothing is proved: the former life, if any, is waited for
	}
	return l.Incarnation
}

// Note remembers the highest token that this installation knows of. A database
// that knows less than some node had its history cut.
func (i Identity) Note(mark leases.Token) error {
	if mark <= i.Mark() {
		return nil
	}
	if err := atomicfile.Write(filepath.Join(i.Dir, markFile), []byte(strconv.FormatInt(int64(mark), 10)+"\n"), 0o600); err != nil {
		return fmt.Errorf("remember token %d: %w", mark, err)
	}
	return nil
}

// Mark is the token that was last noted, or 0.
func (i Identity) Mark() leases.Token {
	text, err := os.ReadFile(filepath.Join(i.Dir, markFile))
	if err != nil {
		return 0
	}
	mark, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0 // a torn file is impossible, a meddled one proves nothing
	}
	return leases.Token(mark)
}

// Boot names this boot of this host, or is empty where there is no such name.
func Boot() string {
	doc, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(doc)
}
