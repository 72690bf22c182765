package tomcat

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/keystore/trust"
)

// client is a certificate with its key.
func client(t *testing.T, n int) tls.Certificate {
	t.Helper()
	data, _ := fresh(t, n)
	s, err := keystore.Read(data, keystore.Passwords{Store: "changeit"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Entry("tomcat")
	if err != nil {
		t.Fatal(err)
	}
	key, err := e.Signer()
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{e.Chain[0].DER}, PrivateKey: key}
}

// lets tells whether a Tomcat answers a client with that certificate.
func lets(t *testing.T, port int, c tls.Certificate) bool {
	t.Helper()
	// What it shows is not what is tried here.
	line := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{c}}, DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: line, Timeout: 20 * time.Second}).Get(fmt.Sprintf("https://127.0.0.1:%d/", port))
	if err != nil {
		return false
	}
	answer.Body.Close()
	return true
}

// A Tomcat that asks its clients for certificates has a rendered trust store: who is in
// it begins a session, and who comes into it does so after a reload.
func TestATomcatLetsInWhoIsInItsTrustStore(t *testing.T) {
	path := classpath(t)
	dir := t.TempDir()
	data, _ := fresh(t, 1)
	write600(t, filepath.Join(dir, "own"), data)
	member, newcomer := client(t, 2), client(t, 3)
	files := trust.Files{Memory: dir, Password: "changeit", List: []trust.File{
		{Path: filepath.Join(dir, "trust.p12"), Format: keystore.PKCS12}, {Path: filepath.Join(dir, "trust.jks"), Format: keystore.JKS},
	}}
	entries := []trust.Entry{{Alias: "app-a", Certificate: member.Certificate[0]}}
	render := func(version int64) {
		if done, err := files.Render(trust.Store{Version: version, Digest: trust.Digest(entries), Entries: entries}); err != nil || len(done.Written) != 2 {
			t.Fatalf("%+v %v", done, err)
		}
	}
	render(1)
	ports := freePorts(t, len(files.List))
	var lines bytes.Buffer
	for i, f := range files.List {
		fmt.Fprintf(&lines, "%d\t%s\tpkcs12\tchangeit\t\ttomcat\t%s\t%s\tchangeit\n", ports[i], filepath.Join(dir, "own"), f.Path, f.Format)
	}
	server := start(t, compiled(t, path), lines.String()+"\n")
	judge := func(when string, wanted bool) {
		for i, f := range files.List {
			if got := lets(t, ports[i], member); !got {
				t.Errorf("%s, %s: the member is refused", when, f.Format)
			}
			if got := lets(t, ports[i], newcomer); got != wanted {
				t.Errorf("%s, %s: the newcomer is let in: %v", when, f.Format, got)
			}
		}
	}
	judge("before", false)
	entries = append(entries, trust.Entry{Alias: "app-b", Certificate: newcomer.Certificate[0]})
	render(2)
	if _, err := io.WriteString(server.in, "\n"); err != nil {
		t.Fatal(err)
	}
	if err := server.await("reloaded"); err != nil {
		t.Fatal(err)
	}
	judge("after", true)
	if t.Failed() {
		t.Logf("Tomcat: %s", server.said())
	}
}
