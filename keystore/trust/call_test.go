package trust

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/nobody"
)

// listen serves each connection, and returns the address.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go serve(conn)
			}
		}
	}()
	return l.Addr().String()
}

// speaking is a server with that certificate.
func speaking(t *testing.T, config *tls.Config) string {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		line := tls.Server(conn, config)
		defer line.Close()
		_ = line.Handshake() // what came of it the client says
	})
}

func TestACallIsNamedByWhatCameOfIt(t *testing.T) {
	pool := x509.NewCertPool()
	server := func(change func(*x509.Certificate), known bool, more ...func(*tls.Config)) string {
		der, key := certificate(t, "app-b", change)
		if c, err := x509.ParseCertificate(der); err == nil && known {
			pool.AddCert(c)
		}
		config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		for _, f := range more {
			f(config)
		}
		return speaking(t, config)
	}
	asks := func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }
	asksOldWay := func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 }
	for name, c := range map[string]struct {
		address string
		want    Result
	}{
		"known":                          {server(nil, true), OK},
		"known, and asks for ours":       {server(nil, true, asks), OK},
		"known, and asks before the end": {server(nil, true, asksOldWay), OK},
		"unknown":                        {server(nil, false), UnknownIssuer},
		"unknown, and asks for ours":     {server(nil, false, asksOldWay), UnknownIssuer},
		"another name": {server(func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"b.example.org"}
		}, true), NameMismatch},
		"ended":           {server(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, true), Expired},
		"not begun":       {server(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, true), NotYetValid},
		"not for servers": {server(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }, true), Unfit},
		"nobody there":    {nobody.Address(t).String(), Refused},
		"hangs":           {listen(t, func(net.Conn) {}), TimedOut},
		"plain HTTP": {listen(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}), NoTLS},
		"hangs up":   {listen(t, func(conn net.Conn) { conn.Close() }), NoTLS},
		"no address": {"nowhere", Unreachable},
	} {
		patience := 10 * time.Second
		if c.want == TimedOut {
			patience = 50 * time.Millisecond
		}
		got := Caller{Roots: pool, Timeout: patience}.Call(t.Context(), Peer{Node: "app-b", Address: c.address})
		if got.Result != c.want || (got.Detail == "") != (c.want == OK) {
			t.Errorf("%s: %s (%s), want %s", name, got.Result, got.Detail, c.want)
		}
	}
	named := server(func(c *x509.Certificate) { c.DNSNames = []string{"b.example.org"} }, true)
	if got := (Caller{Roots: pool, Timeout: time.Second}).Call(t.Context(), Peer{"app-b", named, "b.example.org"}); got.Result != OK || len(got.Fingerprint) != 64 {
		t.Errorf("by its name: %+v", got)
	}
}

func TestPeersThatHangCostTheirTimeAndNoMore(t *testing.T) {
	const peers, atOnce = 12, 4
	var open, most atomic.Int64
	address := listen(t, func(conn net.Conn) {
		n := open.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		_, _ = io.Copy(io.Discard, conn) // until the caller gives up
		open.Add(-1)
	})
	var all []Peer
	for range peers {
		all = append(all, Peer{Node: "app", Address: address})
	}
	calls := Caller{Roots: x509.NewCertPool(), Timeout: 50 * time.Millisecond, AtOnce: atOnce, Every: time.Millisecond}.Round(t.Context(), all)
	if len(calls) != peers {
		t.Fatalf("%d calls", len(calls))
	}
	for _, c := range calls {
		if c.Result != TimedOut {
			t.Errorf("%+v", c)
		}
	}
	if most.Load() > atOnce+1 { // the other end hears of a hanging up a moment later
		t.Errorf("%d at once", most.Load())
	}
}
