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
	served, leaf, err := servedFrom(ts.MkAbs(args[0]), ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Setenv("TLS", listenTLS(ts, &tls.Config{Certificates: []tls.Certificate{served}}))
	ts.Setenv("LEAF", leaf)
}

// tlslive NAME FILE PASSWORDFILE serves at $NAME what the file has at the moment of
// each handshake.
func tlsLive(ts *testscript.TestScript, _ bool, args []string) {
	path, password := ts.MkAbs(args[1]), ts.ReadFile(args[2])
	ts.Setenv(args[0], listenTLS(ts, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		served, _, err := servedFrom(path, password)
		return &served, err
	}}))
}

func servedFrom(path, password string) (served tls.Certificate, leaf string, err error) {
	pass, err := onePassword([]byte(password))
	if err != nil {
		return served, "", err
	}
	data, err := keystore.ReadFile(path)
	if err != nil {
		return served, "", err
	}
	s, err := keystore.Read(data, keystore.Passwords{Store: pass})
	if err != nil {
		return served, "", err
	}
	e, err := s.Served("")
	if err != nil {
		return served, "", err
	}
	served.PrivateKey, err = e.Signer()
	for _, c := range e.Chain {
		served.Certificate = append(served.Certificate, c.DER)
	}
	return served, e.Facts().Fingerprint, err
}

// listenTLS is the address of a server that lives as long as the script.
func listenTLS(ts *testscript.TestScript, cfg *tls.Config) string {
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	ts.Check(err)
	ts.Defer(func() { l.Close() })
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
	return l.Addr().String()
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
