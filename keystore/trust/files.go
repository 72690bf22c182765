package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/keystore"
)

// File is one rendering of the store.
type File struct {
	Path   string
	Format keystore.Format // PKCS12, JKS or PEM
}

// Files are the renderings of the store on a node. It remembers what it wrote, so
// that it can tell what somebody else has changed.
type Files struct {
	List     []File
	Password keystore.Password // of PKCS12 and JKS
	Memory   string            // folder of the node's own

	seen map[string]glance // by path, of this process
}

// glance is a file as it was found right.
type glance struct{ file, store string }

// ForeignError says that a file which was never rendered here has certificates that
// nobody added: it is left as it is.
type ForeignError struct{ Path, What string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s is somebody else's: %s", e.Path, e.What)
}

// Outcome is what a rendering did.
type Outcome struct {
	Written []string // files
	Mended  []string // what somebody had changed, in words
}

// Render has every file have the entries of the store. One that cannot does not keep
// the others from it.
func (f *Files) Render(s Store) (Outcome, error) {
	var done Outcome
	var errs []error
	memory, err := f.recall()
	if err != nil {
		return done, err
	}
	if f.seen == nil {
		f.seen = map[string]glance{}
	}
	for _, file := range f.List {
		if err := f.render(file, s, memory, &done); err != nil {
			errs = append(errs, err)
		}
	}
	return done, errors.Join(errs...)
}

func (f *Files) render(file File, s Store, memory map[string]string, done *Outcome) error {
	old, err := keystore.ReadFile(file.Path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	if !missing && f.seen[file.Path] == (glance{sum(old), s.Digest}) {
		return nil
	}
	if !missing && f.right(file, old, s) {
		return f.remember(file.Path, old, s, memory)
	}
	ours, known := memory[file.Path]
	switch {
	case missing && known:
		done.Mended = append(done.Mended, file.Path+" was gone")
	case missing, known && ours == sum(old):
	case known:
		if err := atomicfile.Write(filepath.Join(f.Memory, "trust.edited."+filepath.Base(file.Path)), old, 0o600); err != nil && !errors.Is(err, atomicfile.ErrNotDurable) {
			return err
		}
		done.Mended = append(done.Mended, fmt.Sprintf("%s was changed by somebody (%s)", file.Path, f.differs(old, s)))
	default:
		if what := f.strange(old, s); what != "" {
			return &ForeignError{file.Path, what}
		}
	}
	data, err := keystore.Write(s.keystore(), file.Format, f.Password)
	if err != nil {
		return fmt.Errorf("%s: %w", file.Path, err)
	}
	if err := atomicfile.Write(file.Path, data, 0o644); err != nil && !errors.Is(err, atomicfile.ErrNotDurable) {
		return err
	}
	done.Written = append(done.Written, file.Path)
	return f.remember(file.Path, data, s, memory)
}

// right tells whether a file has just these entries. PEM has no aliases, and its
// order is ours.
func (f *Files) right(file File, data []byte, s Store) bool {
	if file.Format == keystore.PEM {
		want, err := keystore.Write(s.keystore(), keystore.PEM, "")
		return err == nil && bytes.Equal(want, data)
	}
	have, err := keystore.Read(data, keystore.Passwords{Store: f.Password})
	return err == nil && have.Format == file.Format && keystore.Same(have, s.keystore())
}

// strange is what a file has that the store has not; empty when that is nothing.
func (f *Files) strange(data []byte, s Store) string {
	if len(data) == 0 {
		return ""
	}
	have, err := f.read(data)
	if err != nil {
		return err.Error()
	}
	known := map[string]bool{}
	for _, e := range s.Entries {
		known[string(e.Certificate)] = true
	}
	var names []string
	for _, e := range have.Entries {
		if e.Kind != keystore.Trusted && e.Kind != keystore.Loose || len(e.Chain) == 0 {
			names = append(names, fmt.Sprintf("%s is a %s", e.Alias, e.Kind))
		} else if !known[string(e.Chain[0].DER)] {
			names = append(names, fmt.Sprintf("%s (%s) is not in the trust store", e.Alias, e.Facts().Subject))
		}
	}
	return few(names)
}

// differs tells in words what somebody changed.
func (f *Files) differs(data []byte, s Store) string {
	have, err := f.read(data)
	if err != nil {
		return err.Error()
	}
	there := map[string]bool{}
	for _, e := range have.Entries {
		if len(e.Chain) > 0 {
			there[string(e.Chain[0].DER)] = true
		}
	}
	var names []string
	if what := f.strange(data, s); what != "" {
		names = append(names, what)
	}
	for _, e := range s.Entries {
		if !there[string(e.Certificate)] {
			names = append(names, e.Alias+" was missing")
		}
	}
	if len(names) == 0 {
		return "its form"
	}
	return few(names)
}

func (f *Files) read(data []byte) (*keystore.Store, error) {
	return keystore.Read(data, keystore.Passwords{Store: f.Password})
}

// few are the first of many.
func few(names []string) string {
	if len(names) > 3 {
		names = append(slices.Clone(names[:3]), fmt.Sprintf("and %d more", len(names)-3))
	}
	return strings.Join(names, ", ")
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

func (f *Files) memory() string { return filepath.Join(f.Memory, "trust.json") }

// recall is what was written, by path.
func (f *Files) recall() (map[string]string, error) {
	memory := map[string]string{}
	text, err := os.ReadFile(f.memory())
	if errors.Is(err, fs.ErrNotExist) {
		return memory, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &memory); err != nil {
		return nil, fmt.Errorf("%s: %w", f.memory(), err)
	}
	return memory, nil
}

// remember notes that a file is as it should be.
func (f *Files) remember(path string, data []byte, s Store, memory map[string]string) error {
	f.seen[path] = glance{sum(data), s.Digest}
	if memory[path] == sum(data) {
		return nil
	}
	memory[path] = sum(data)
	text, err := json.Marshal(memory)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(f.memory(), text, 0o600); err != nil && !errors.Is(err, atomicfile.ErrNotDurable) {
		return err
	}
	return nil
}

// Roots are the certificates that stand in the first of the files: what a server that
// reads it would trust.
func (f *Files) Roots() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if len(f.List) == 0 {
		return nil, errors.New("no file is rendered here")
	}
	data, err := keystore.ReadFile(f.List[0].Path)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return pool, nil // PEM of an empty store
	}
	have, err := f.read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.List[0].Path, err)
	}
	for _, e := range have.Entries {
		if e.Kind == keystore.Trusted && e.Chain[0].X509 != nil {
			pool.AddCert(e.Chain[0].X509)
		}
	}
	return pool, nil
}
