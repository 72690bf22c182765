package keystore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"
)

func TestAServerShowsWhichCertificateItServes(t *testing.T) {
	leaf := issue(t, "app.example.org", newKey(t), nil, nil)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.cert.Raw}, PrivateKey: leaf.key}}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).HandshakeContext(t.Context()) // what the client sees is judged
			conn.Close()
		}
	}()
	for _, host := range []string{"", "app.example.org"} {
		chain, err := Shown(t.Context(), l.Addr().String(), host)
		want := Certificate{DER: leaf.cert.Raw}.Fingerprint()
		if err != nil || len(chain) != 1 || chain[0].Fingerprint() != want {
			t.Errorf("got %v, %v", chain, err)
		}
	}
}

func TestWhatShowsNoCertificateIsTold(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, address := range []string{silent.Addr().String(), "127.0.0.1:1", "nowhere", ""} {
		if chain, err := Shown(ctx, address, ""); !errors.Is(err, ErrNoHandshake) {
			t.Errorf("%q: %v, %v", address, chain, err)
		}
	}
}
