package keystore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
)

// ErrNoHandshake means that a server shows no certificate.
var ErrNoHandshake = errors.New("no TLS handshake")

// Shown asks a server by a handshake which certificates it shows, its own first.
// They are what is asked for, so nothing about them is believed: not that they are
// valid, nor whose they are.
func Shown(ctx context.Context, address, host string) ([]Certificate, error) {
	if host == "" {
		var err error
		if host, _, err = net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("%w with %s: %w", ErrNoHandshake, address, err)
		}
	}
	dialer := tls.Dialer{Config: &tls.Config{ServerName: host, InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w with %s: %w", ErrNoHandshake, address, err)
	}
	defer conn.Close()
	line, ok := conn.(*tls.Conn)
	if !ok {
		return nil, fmt.Errorf("%w with %s: a %T", ErrNoHandshake, address, conn)
	}
	var chain []Certificate
	for _, c := range line.ConnectionState().PeerCertificates {
		chain = append(chain, Certificate{DER: c.Raw, X509: c})
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("%w with %s: it shows no certificate", ErrNoHandshake, address)
	}
	return chain, nil
}
