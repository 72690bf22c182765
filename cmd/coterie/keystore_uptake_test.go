package main

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/keystore/place"
)

// server is a server with a manager: on reload it takes up the keystore at path, and
// goes on with the old one when it cannot.
type tlsServer struct {
	path, address string
	manager       *httptest.Server
	serving       atomic.Pointer[tls.Certificate]
	reloads       atomic.Int32
	deaf          atomic.Bool // says that it has reloaded, and has not
	refuses       atomic.Bool
}

func newTLSServer(t *testing.T, path string) *tlsServer {
	t.Helper()
	s := &tlsServer{path: path}
	s.load()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.serving.Load(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.address = l.Addr().String()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go func(conn net.Conn) {
				_ = conn.(*tls.Conn).HandshakeContext(t.Context()) // what the client sees is judged
				conn.Close()
			}(conn)
		}
	}()
	s.manager = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.reloads.Add(1)
		if s.refuses.Load() || !s.deaf.Load() && !s.load() {
			http.Error(w, "FAIL", http.StatusInternalServerError)
			return
		}
		io.WriteString(w, "OK - Reloaded")
	}))
	t.Cleanup(s.manager.Close)
	return s
}

func (s *tlsServer) load() bool {
	data, err := os.ReadFile(s.path)
	if err != nil {
		return false
	}
	store, err := keystore.Read(data, keystore.Passwords{Store: "changeit"})
	if err != nil {
		return false
	}
	e, err := store.Served("")
	if err != nil {
		return false
	}
	key, err := e.Signer()
	if err != nil {
		return false
	}
	c := &tls.Certificate{PrivateKey: key}
	for _, one := range e.Chain {
		c.Certificate = append(c.Certificate, one.DER)
	}
	s.serving.Store(c)
	return true
}

func fixture(t *testing.T, name string) ([]byte, string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../keystore/testdata/files", name))
	if err != nil {
		t.Fatal(err)
	}
	s, err := keystore.Read(data, keystore.Passwords{Store: "changeit"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Served("")
	if err != nil {
		t.Fatal(err)
	}
	return data, e.Facts().Fingerprint
}

func TestAServerThatDoesNotTakeAKeystoreUpHasTheOldOneBack(t *testing.T) {
	before, old := fixture(t, "ossl-chain.p12")
	after, fresh := fixture(t, "ossl-ed.p12")
	path := filepath.Join(t.TempDir(), "tomcat.keystore")
	properties := filepath.Join(filepath.Dir(path), "installed.properties")
	for file, text := range map[string][]byte{path: before, properties: []byte("tomcat.key.alias=tomcat\n")} {
		if err := os.WriteFile(file, text, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	s := newTLSServer(t, path)
	up := uptake{manager: &keystore.Manager{URL: s.manager.URL}, address: s.address, fingerprint: fresh}
	steps := []place.Change{{Path: path, Data: after, Perm: 0o600, Old: before}, {Path: properties, Data: []byte("tomcat.key.alias=ed\n"), Perm: 0o600, Old: []byte("tomcat.key.alias=tomcat\n")}}
	is := func(when, code string, err error, keystoreBytes []byte, alias, serves string) {
		t.Helper()
		if code == "" && err != nil || code != "" && (err == nil || asProblem(err).Code != code) {
			t.Errorf("%s: got %v, want %q", when, err, code)
		}
		got, _ := os.ReadFile(path)
		text, _ := os.ReadFile(properties)
		if string(got) != string(keystoreBytes) || string(text) != "tomcat.key.alias="+alias+"\n" {
			t.Errorf("%s: the files are others; alias %q", when, text)
		}
		chain, err := keystore.Shown(t.Context(), s.address, "")
		if err != nil || chain[0].Fingerprint() != serves {
			t.Errorf("%s: it serves another certificate, %v", when, err)
		}
	}

	s.refuses.Store(true)
	err := up.carryOut(t.Context(), steps)
	is("a manager that refuses", "COT-922", err, before, "tomcat", old)
	if err == nil || !strings.Contains(err.Error(), "putting back") {
		t.Errorf("that it could not be reloaded again is not told: %v", err)
	}
	s.refuses.Store(false)

	broken := steps[:1:1]
	broken[0].Data = after[:len(after)/2]
	err = up.carryOut(t.Context(), broken)
	is("a keystore that it cannot open", "COT-922", err, before, "tomcat", old)
	if err == nil || !strings.Contains(err.Error(), "what was there before is back") {
		t.Errorf("got %v", err)
	}
	steps[0].Data = after

	is("a good one", "", up.carryOut(t.Context(), steps), after, "ed", fresh)
	reloads := s.reloads.Load()
	is("again", "", up.carryOut(t.Context(), nil), after, "ed", fresh)
	if s.reloads.Load() != reloads {
		t.Error("a server that shows it already was reloaded")
	}
}

func TestAServerThatOnlySaysThatItReloadedIsFoundOut(t *testing.T) {
	if testing.Short() {
		t.Log("NOT TESTED with -short: it waits for ten seconds")
		return
	}
	before, old := fixture(t, "ossl-chain.p12")
	after, fresh := fixture(t, "ossl-ed.p12")
	path := filepath.Join(t.TempDir(), "tomcat.keystore")
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newTLSServer(t, path)
	s.deaf.Store(true)
	up := uptake{manager: &keystore.Manager{URL: s.manager.URL}, address: s.address, fingerprint: fresh}
	err := up.carryOut(t.Context(), []place.Change{{Path: path, Data: after, Perm: 0o600, Old: before}})
	if err == nil || asProblem(err).Code != "COT-920" || asProblem(err).Exit != problem.ExitDegraded {
		t.Errorf("got %v", err)
	}
	got, _ := os.ReadFile(path)
	chain, err := keystore.Shown(t.Context(), s.address, "")
	if string(got) != string(before) || err != nil || chain[0].Fingerprint() != old {
		t.Errorf("the old one is not back: %v", err)
	}
}
