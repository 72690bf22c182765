package keystore

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// Detect tells the format by the first bytes. The error wraps ErrEmpty, ErrLimit
// or ErrFormat, and says what the file is instead where that can be told.
func Detect(data []byte) (Format, error) {
	switch {
	case len(data) == 0:
		return "", ErrEmpty
	case len(data) > MostSize:
		return "", fmt.Errorf("%w: %d bytes; at most %d", ErrLimit, len(data), MostSize)
	}
	if len(data) >= 4 {
		switch binary.BigEndian.Uint32(data) {
		case magicJKS:
			return JKS, nil
		case magicJCEKS:
			return JCEKS, nil
		}
	}
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		if block, _ := pem.Decode(data); block != nil {
			return PEM, nil
		}
		return "", fmt.Errorf("%w: PEM that is cut or garbled", ErrFormat)
	}
	if data[0] != tagSequence {
		return "", fmt.Errorf("%w: it begins with %#02x", ErrFormat, data[0])
	}
	if _, err := x509.ParseCertificate(data); err == nil {
		return "", fmt.Errorf("%w: a certificate by itself (DER)", ErrFormat)
	}
	if inner := (&cursor{rest: data}).within(tagSequence); looksLikeKey(data) || inner.next() == tagInteger && inner.small() < 3 && inner.err == nil {
		return "", fmt.Errorf("%w: a private key by itself (DER)", ErrFormat)
	}
	return PKCS12, nil
}

// Read reads a keystore. It costs at most about a second and 64 MiB, whatever the
// file says of itself.
func Read(data []byte, pass Passwords) (*Store, error) {
	return read(data, pass, newBudget())
}

func read(data []byte, pass Passwords, b *budget) (*Store, error) {
	format, err := Detect(data)
	if err != nil {
		return nil, err
	}
	s := &Store{Format: format, pass: pass.Store}
	for _, p := range pass.all() {
		if !utf8.ValidString(string(p)) {
			return nil, fmt.Errorf("%w: it is not UTF-8", ErrPassword)
		}
	}
	form := map[Format]func(*Store, []byte, Passwords, *budget) error{PKCS12: readPKCS12, JKS: readJKS, JCEKS: readJKS, PEM: readPEM}[format]
	if err := form(s, data, pass, b); err != nil {
		return nil, fmt.Errorf("read %s: %w", format, err)
	}
	return s, nil
}

// Write writes the store in a form, its keys protected by the password unless they
// have their own. PEM has a key in clear if the password is empty.
func Write(s *Store, format Format, pass Password) ([]byte, error) {
	for _, e := range s.Entries {
		if e.Kind == Loose {
			continue
		}
		if err := fitAlias(e.Alias); err != nil {
			return nil, fmt.Errorf("write %s: %w", format, err)
		}
	}
	write := map[Format]func(*Store, Password) ([]byte, error){PKCS12: writePKCS12, JKS: writeJKS, PEM: writePEM}[format]
	if write == nil {
		return nil, fmt.Errorf("write %s: %w: it is read only; write pkcs12", format, ErrUnsupported)
	}
	out, err := write(s, pass)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", format, err)
	}
	if len(out) > MostSize {
		return nil, fmt.Errorf("write %s: %w: %d bytes", format, ErrLimit, len(out))
	}
	return out, nil
}

// ErrNotRegular means that a path leads to something else than a file.
var ErrNotRegular = errors.New("not a regular file")

// ReadFile is the content of a file: of a regular one, and of no more than
// MostSize bytes. A pipe that nobody writes to does not hang it. The file is read
// as it was at one moment, if whoever replaces it renames another over it.
func ReadFile(path string) ([]byte, error) {
	f, err := openWithoutWaiting(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	data, err := io.ReadAll(io.LimitReader(f, MostSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MostSize {
		return nil, fmt.Errorf("read %s: %w: more than %d bytes", path, ErrLimit, MostSize)
	}
	return data, nil
}
