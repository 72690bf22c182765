// Package place puts a keystore in place beside its server, has the server take it
// up, and proves by a handshake that it did.
//
// A Change is one file that is to have other content; all of a Server's changes are
// written one after another, each at once: whoever reads a file, and a machine that
// loses power, sees the old one or the new one. The keystore comes first, since a
// server that is started in between has the old alias, which a new version usually
// still has. What fails on the way forward is undone, the last change first, and the
// server takes up again what it had. On the way back nothing is undone: a server that
// is down, or cannot take up what it has, needs the right file under its name.
//
// What was there before the cluster had any version is kept in a folder of the node's
// own, with the mode of its owner alone, until a version is the active one.
package place

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/keystore"
)

// Server is a server with its keystore.
type Server struct {
	File       string
	Properties string // of the server, which name the alias; empty: none
	Property   string
	Address    string // host:port that shows the certificate; empty: nothing is proved
	Host       string // asked for there; empty: that of the address
	Kept       string // folder for what was there before any version
	Reload     func(context.Context) error
	Patience   time.Duration // how long it may go on with the old certificate
}

// Content is what is put in place.
type Content struct {
	File        []byte
	Alias       string
	Fingerprint string
}

// ErrNotTaken means that a server did not take its keystore up.
var ErrNotTaken = errors.New("the server did not take its keystore up")

// Proves says whether it can be seen what the server took up.
func (s Server) Proves() bool { return s.Address != "" && s.Reload != nil }

// Seen is what is in place.
type Seen struct {
	SHA256 string // of the file; empty: there is none
	Alias  string // that the properties name; empty when there are none
	Served string // fingerprint; empty: no certificate is shown
	Error  string
}

// handshake is how long a server may take to show its certificate.
const handshake = 5 * time.Second

// Look reads the file, and asks the server by a handshake.
func (s Server) Look(ctx context.Context) Seen {
	var seen Seen
	data, err := keystore.ReadFile(s.File)
	if err == nil {
		sum := sha256.Sum256(data)
		seen.SHA256 = hex.EncodeToString(sum[:])
	} else {
		seen.Error = err.Error()
	}
	if s.Properties != "" {
		text, err := ReadProperties(s.Properties)
		seen.Alias, _ = text.Get(s.Property)
		if err != nil {
			seen.Error = err.Error()
		}
	}
	if s.Address == "" {
		return seen
	}
	ctx, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	chain, err := keystore.Shown(ctx, s.Address, s.Host)
	if err != nil {
		if seen.Error == "" { // a server without its file shows nothing either
			seen.Error = lasting(err)
		}
		return seen
	}
	seen.Served = chain[0].Fingerprint()
	return seen
}

// lasting is an error without the ports of one attempt: what is the same is told once.
func lasting(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Sprintf("%v: %v", keystore.ErrNoHandshake, op.Err)
	}
	return err.Error()
}

// Put has the content in place and taken up. What fails on the way forward is undone.
func (s Server) Put(ctx context.Context, c Content, forward bool) error {
	changes, err := s.changes(c)
	if err != nil {
		return err
	}
	done, err := Write(changes)
	if err == nil {
		err = s.takeUp(ctx, c.Fingerprint)
	}
	if err == nil || !forward {
		return err
	}
	undone := Undo(done)
	if s.Reload != nil && len(done) > 0 {
		// Also when somebody gave up waiting: the server must not be left between two.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Patience+handshake)
		defer cancel()
		undone = errors.Join(undone, s.Reload(ctx))
	}
	if undone != nil {
		return fmt.Errorf("%w; putting back what was there before: %w", err, undone)
	}
	return fmt.Errorf("%w; what was there before is back", err)
}

// takeUp has the server reload, and waits until it shows the certificate.
func (s Server) takeUp(ctx context.Context, fingerprint string) error {
	if s.Reload == nil {
		return nil
	}
	if err := s.Reload(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrNotTaken, err)
	}
	if s.Address == "" || fingerprint == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	if err := keystore.Serves(ctx, s.Address, s.Host, fingerprint); err != nil {
		return fmt.Errorf("%w: %w", ErrNotTaken, err)
	}
	return nil
}

// changes are what differs.
func (s Server) changes(c Content) ([]Change, error) {
	file, err := FileChange(s.File, c.File)
	if err != nil {
		return nil, err
	}
	changes := file
	if s.Properties == "" {
		return changes, nil
	}
	alias, err := AliasChange(s.Properties, s.Property, c.Alias)
	return append(changes, alias...), err
}

// Try tells why the content could not be put in place, and changes nothing: it writes
// all of it beside the files, as it would be, and removes it.
func (s Server) Try(c Content) error {
	changes, err := s.changes(c)
	if err != nil {
		return err
	}
	if info, err := os.Stat(s.File); err == nil && info.Mode().Perm()&0o004 != 0 {
		return fmt.Errorf("%s is open to everybody (mode %04o): chmod o= %s", s.File, info.Mode().Perm(), s.File)
	}
	if err := try(s.File, c.File); err != nil {
		return err
	}
	for _, change := range changes {
		if change.Path == s.File {
			continue
		}
		if err := try(change.Path, change.Data); err != nil {
			return err
		}
	}
	return nil
}

func try(path string, data []byte) error {
	target, err := filepath.EvalSymlinks(path) // it is replaced where it is
	if _, none := os.Lstat(path); errors.Is(none, fs.ErrNotExist) {
		target, err = path, nil
	}
	if err != nil {
		return err
	}
	if err := fixed(target); err != nil {
		return err
	}
	var old fs.FileInfo
	if info, err := os.Stat(target); err == nil {
		old = info
	}
	tmp := filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".try")
	if err := gone(os.Remove(tmp)); err != nil { // of a life that was killed
		return err
	}
	// With the owner of the file that it would replace, which not everybody can give it.
	if err := atomicfile.Prepare(tmp, data, old, target); err != nil {
		return err
	}
	return os.Remove(tmp)
}

// Sweep removes what somebody left who was killed while he wrote, some time ago.
func (s Server) Sweep() error {
	var errs []error
	for _, pattern := range []string{".tmp-*", ".try"} {
		left, err := filepath.Glob(filepath.Join(filepath.Dir(s.File), "."+filepath.Base(s.File)+pattern))
		errs = append(errs, err)
		for _, path := range left {
			if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > stale {
				errs = append(errs, gone(os.Remove(path)))
			}
		}
	}
	return errors.Join(errs...)
}

// stale is how old a temporary file is that nobody writes any more.
const stale = 10 * time.Second
