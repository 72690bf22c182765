package trust

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/keystore/trust"
)

// needs are programs without which a test is not made.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("COTERIE_CI") != "" {
				t.Fatalf("no %s here: make tomcat", p)
			}
			t.Skipf("NOT TESTED: no %s here. make tomcat installs it", p)
		}
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// What is rendered is read by those for whom it is: keytool lists it, a Java client
// and OpenSSL call by it, and both refuse a server that is not in it.
func TestJavaAndOpenSSLTrustWhatIsRendered(t *testing.T) {
	needs(t, "java", "keytool", "openssl")
	dir := t.TempDir()
	known, next, stranger := serve(t, "app-a"), make1(t, "app-a", "127.0.0.1", time.Hour), serve(t, "stranger")
	proxy := make1(t, "proxy", "proxy.example.org", time.Hour)
	entries := []trust.Entry{
		{Alias: "app-a", Certificate: known.cert.Load().Raw},
		{Alias: "app-a:" + next.Fingerprint()[:8], Certificate: next.Raw},
		{Alias: "added:proxy", Certificate: proxy.Raw},
	}
	files := trust.Files{Memory: dir, Password: "changeit"}
	for _, f := range []keystore.Format{keystore.PEM, keystore.PKCS12, keystore.JKS} {
		files.List = append(files.List, trust.File{Path: filepath.Join(dir, string(f)), Format: f})
	}
	if _, err := files.Render(trust.Store{Version: 1, Entries: entries}); err != nil {
		t.Fatal(err)
	}
	for _, f := range files.List[1:] {
		list := output(t, "keytool", "-list", "-keystore", f.Path, "-storetype", string(f.Format), "-storepass", "changeit", "-J-XX:TieredStopAtLevel=1")
		for _, e := range entries {
			if !strings.Contains(list, e.Alias+", ") || strings.Count(list, "trustedCertEntry") != 3 {
				t.Errorf("keytool shows %s without %s:\n%s", f.Format, e.Alias, list)
			}
		}
		got := output(t, "java", "-XX:TieredStopAtLevel=1", "testdata/Dial.java", string(f.Format), f.Path, "changeit", port(known), port(stranger))
		if got != "3 entries\nok\nrefused\n" {
			t.Errorf("a Java client with %s: %q", f.Format, got)
		}
	}
	for _, c := range []struct {
		*server
		want string
	}{{known, "Verify return code: 0 (ok)"}, {stranger, "Verify return code: 18 (self-signed certificate)"}} {
		cmd := exec.CommandContext(t.Context(), "openssl", "s_client", "-connect", c.address, "-CAfile", files.List[0].Path, "-partial_chain", "-verify_ip", "127.0.0.1")
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), c.want) {
			t.Errorf("openssl, want %q: %v\n%s", c.want, err, out)
		}
	}
}

func port(s *server) string {
	_, port, _ := net.SplitHostPort(s.address)
	return port
}

// A server that asks its clients for certificates has the rendered bundle for its list:
// who is in it may begin a session, and nobody else.
func TestOnlyWhoIsInTheBundleBeginsASession(t *testing.T) {
	dir := t.TempDir()
	member, stranger, own := make1(t, "app-b", "127.0.0.1", time.Hour), make1(t, "stranger", "127.0.0.1", time.Hour), make1(t, "app-a", "127.0.0.1", time.Hour)
	bundle := filepath.Join(dir, "trust.pem")
	files := trust.Files{Memory: dir, List: []trust.File{{Path: bundle, Format: keystore.PEM}}}
	if _, err := files.Render(trust.Store{Version: 1, Entries: []trust.Entry{{Alias: "app-b", Certificate: member.Raw}}}); err != nil {
		t.Fatal(err)
	}
	roots, err := files.Roots()
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*own.TLS()}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	begin := func(certs ...tls.Certificate) error {
		ended := make(chan error, 1)
		go func() {
			conn, err := l.Accept()
			if err == nil {
				err = conn.(*tls.Conn).Handshake()
				conn.Close()
			}
			ended <- err
		}()
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(own.PEM())
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: pool, Certificates: certs})
		if err == nil {
			_, _ = conn.Read(make([]byte, 1)) // until the other end has decided
			conn.Close()
		}
		return <-ended
	}
	for name, c := range map[string]struct {
		certs []tls.Certificate
		ok    bool
	}{"a member": {[]tls.Certificate{*member.TLS()}, true}, "a stranger": {[]tls.Certificate{*stranger.TLS()}, false}, "nobody": {nil, false}} {
		if err := begin(c.certs...); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, fmt.Sprint(err))
		}
	}
}
