package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/keystore"
)

// keystoreFiles gives scripts the keystores of package keystore, and files that
// they cannot write down themselves.
func keystoreFiles(env *testscript.Env) error {
	dir, err := filepath.Abs("../../keystore/testdata/files")
	if err != nil {
		return err
	}
	env.Setenv("KEYSTORES", dir)
	whole, err := os.ReadFile(filepath.Join(dir, "pkcs12-ec.ks"))
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"bom":     []byte("\xef\xbb\xbfchangeit\n"),
		"crlf":    []byte("changeit\r\n"),
		"cut.p12": whole[:len(whole)/2],
	} {
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// tls FILE PASSWORDFILE serves the key of a keystore at $TLS; $LEAF is its
// certificate's fingerprint.
func tlsWord(ts *testscript.TestScript, _ bool, args []string) {
	pass, err := onePassword([]byte(ts.ReadFile(args[1])))
	ts.Check(err)
	s, err := keystore.Read([]byte(ts.ReadFile(args[0])), keystore.Passwords{Store: pass})
	ts.Check(err)
	e, err := s.Served("")
	ts.Check(err)
	key, err := e.Signer()
	ts.Check(err)
	served := tls.Certificate{PrivateKey: key}
	for _, c := range e.Chain {
		served.Certificate = append(served.Certificate, c.DER)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{served}})
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv("TLS", l.Addr().String())
	ts.Setenv("LEAF", e.Facts().Fingerprint)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the script is over
			}
			_ = conn.(*tls.Conn).Handshake() // what the client makes of it is judged
			conn.Close()
		}
	}()
}

func TestAPasswordIsTheOnlyLineOfItsFile(t *testing.T) {
	for text, want := range map[string]keystore.Password{
		"changeit": "changeit", "changeit\n": "changeit", "changeit\r\n": "changeit", "": "", "\n": "", " a b \n": " a b ", "пароль\n": "пароль",
	} {
		if got, err := onePassword([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, string(got), err)
		}
	}
	for _, text := range []string{"a\nb", "a\n\n", "\xef\xbb\xbfa", "\xff\xfea\x00", "a\x00", "a\xff", string(make([]byte, mostPassword+1))} {
		if got, err := onePassword([]byte(text)); err == nil {
			t.Errorf("%.20q: %q", text, string(got))
		}
	}
}

// Each refusal of package keystore has a code, and keeps it.
func TestEachRefusalOfAKeystoreHasItsCode(t *testing.T) {
	for err, want := range map[error]string{
		keystore.ErrEmpty: "COT-901", keystore.ErrFormat: "COT-901", keystore.ErrNotRegular: "COT-901", keystore.ErrMalformed: "COT-902",
		keystore.ErrPassword: "COT-903", keystore.ErrLimit: "COT-904", keystore.ErrUnsupported: "COT-905", keystore.ErrNoMAC: "COT-906",
		keystore.ErrAlias: "COT-907", keystore.ErrNoAlias: "COT-908", keystore.ErrSealed: "COT-909", keystore.ErrKeyPassword: "COT-909",
		keystore.ErrNotASCII: "COT-911", keystore.ErrKey: "COT-912", keystore.ErrMismatch: "COT-912",
	} {
		p, ok := errors.AsType[*problem.Problem](keystoreProblem("tomcat.keystore", fmt.Errorf("read: %w", err)))
		if !ok || p.Code != want || p.Remedy == "" || !strings.Contains(p.What, "tomcat.keystore") {
			t.Errorf("%v: got %v, want %s", err, p, want)
		}
	}
	if err := keystoreProblem("x", nil); err != nil {
		t.Errorf("got %v", err)
	}
}
