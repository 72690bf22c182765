package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/keystore"
)

// tries is how often a person is asked for a password.
const tries = 3

// mostPassword bounds a password file.
const mostPassword = 4 << 10

// readPassword reads a password from a file, or from stdin.
func (c *cli) readPassword(name string) (keystore.Password, error) {
	text, err := c.passwordText(name)
	if err != nil {
		return "", problem.New("COT-910", err, "%s", name)
	}
	pass, err := onePassword(text)
	if err != nil {
		return "", problem.New("COT-910", nil, "%s %v", name, err)
	}
	return pass, nil
}

func (c *cli) passwordText(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(c.in, mostPassword+1))
	}
	info, err := os.Stat(name)
	if err == nil && info.Mode().IsRegular() && info.Mode()&0o004 != 0 && os.PathSeparator == '/' {
		return nil, errors.New("everybody can read it")
	}
	text, err := keystore.ReadFile(name)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, e.Err
	}
	return text, err
}

// onePassword is the only line of a text.
func onePassword(text []byte) (keystore.Password, error) {
	line := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	switch {
	case len(text) > mostPassword:
		return "", fmt.Errorf("has more than %d bytes", mostPassword)
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")), bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "", errors.New("begins with a byte order mark")
	case bytes.ContainsAny(line, "\r\n"):
		return "", errors.New("has more than one line")
	case bytes.ContainsRune(line, 0):
		return "", errors.New("has a NUL in it")
	case !utf8.Valid(line):
		return "", errors.New("is not UTF-8")
	}
	return keystore.Password(line), nil
}

// openKeystore reads a keystore by the password of a file; without one, it asks,
// three times at most.
func (c *cli) openKeystore(name string, data []byte, file string, pass keystore.Passwords) (*keystore.Store, error) {
	if file != "" {
		var err error
		if pass.Store, err = c.readPassword(file); err != nil {
			return nil, err
		}
		s, err := keystore.Read(data, pass)
		return s, keystoreProblem(name, err)
	}
	if format, err := keystore.Detect(data); err != nil || format == keystore.PEM && !bytes.Contains(data, []byte("BEGIN ENCRYPTED")) {
		s, err := keystore.Read(data, pass)
		return s, keystoreProblem(name, err)
	}
	for left := tries; ; left-- {
		var err error
		if pass.Store, err = c.askPassword("Password of " + name + ": "); err != nil {
			return nil, err
		}
		s, err := keystore.Read(data, pass)
		if !errors.Is(err, keystore.ErrPassword) || left == 1 {
			return s, keystoreProblem(name, err)
		}
		c.say("That does not open it.")
	}
}

// askPassword asks a person, without showing what is typed.
func (c *cli) askPassword(question string) (keystore.Password, error) {
	f := c.person()
	if f == nil {
		p := problem.New("COT-106", nil, "a password is needed, and nobody can be asked")
		p.Remedy = "--password-file FILE"
		return "", p
	}
	if _, err := io.WriteString(c.err, question); err != nil {
		return "", err
	}
	typed, err := term.ReadPassword(int(f.Fd()))
	if _, bad := io.WriteString(c.err, "\n"); bad != nil && err == nil {
		err = bad
	}
	return keystore.Password(strings.TrimRight(string(typed), "\r\n")), err
}

// keystoreProblem gives what package keystore refuses its code.
func keystoreProblem(name string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok && !errors.Is(err, keystore.ErrNotRegular) {
		return problem.New("COT-214", e.Err, "%s", e.Path)
	}
	for _, known := range []struct {
		err  error
		code string
	}{
		{keystore.ErrSealed, "COT-909"}, {keystore.ErrKeyPassword, "COT-909"},
		{keystore.ErrEmpty, "COT-901"}, {keystore.ErrFormat, "COT-901"}, {keystore.ErrNotRegular, "COT-901"},
		{keystore.ErrMalformed, "COT-902"},
		{keystore.ErrPassword, "COT-903"},
		{keystore.ErrLimit, "COT-904"},
		{keystore.ErrUnsupported, "COT-905"},
		{keystore.ErrNoMAC, "COT-906"},
		{keystore.ErrAlias, "COT-907"},
		{keystore.ErrNoAlias, "COT-908"},
		{keystore.ErrNotASCII, "COT-911"},
		{keystore.ErrKey, "COT-912"}, {keystore.ErrMismatch, "COT-912"},
	} {
		if errors.Is(err, known.err) {
			return problem.New(known.code, nil, "%s: %v", name, err)
		}
	}
	return err
}
