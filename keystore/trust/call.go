package trust

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Result is what came of a call.
type Result string

// Results, as in the SQL type coterie.trust_result.
const (
	OK            Result = "ok"
	UnknownIssuer Result = "unknown_issuer"
	NameMismatch  Result = "name_mismatch"
	Expired       Result = "expired"
	NotYetValid   Result = "not_yet_valid"
	Unfit         Result = "unfit"
	Refused       Result = "refused"
	Unreachable   Result = "unreachable"
	TimedOut      Result = "timeout"
	NoTLS         Result = "no_tls"
	NoStore       Result = "no_store"
)

// Peer is a node whose server can be called.
type Peer struct {
	Node    string `json:"node"`
	Address string `json:"address"` // host:port
	Host    string `json:"host"`    // that the certificate must be for; empty: that of the address
}

// Call is what came of one.
type Call struct {
	Node        string
	Result      Result
	Detail      string // why not, in words
	Latency     time.Duration
	Fingerprint string // of the certificate that was shown; empty: none
}

// Caller calls peers as a client does that has the trust store.
type Caller struct {
	Roots   *x509.CertPool
	Timeout time.Duration // of one call
	AtOnce  int           // calls
	Every   time.Duration // between the beginnings of two calls
}

// Round calls each peer once, and returns when all have answered or were given up.
func (c Caller) Round(ctx context.Context, peers []Peer) []Call {
	calls := make([]Call, len(peers))
	room := make(chan struct{}, max(1, c.AtOnce))
	var all sync.WaitGroup
	defer all.Wait()
	for i, p := range peers {
		if i > 0 && !wait(ctx, c.Every) {
			return nil
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		all.Go(func() {
			defer func() { <-room }()
			calls[i] = c.Call(ctx, p)
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return calls
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Call calls one peer.
func (c Caller) Call(ctx context.Context, p Peer) Call {
	host := p.Host
	if host == "" {
		var err error
		if host, _, err = net.SplitHostPort(p.Address); err != nil {
			return Call{Node: p.Node, Result: Unreachable, Detail: err.Error()}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	call := Call{Node: p.Node}
	trusted := false
	dialer := tls.Dialer{Config: &tls.Config{ServerName: host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12,
		VerifyConnection: func(s tls.ConnectionState) error {
			trusted, call.Fingerprint = true, Fingerprint(s.PeerCertificates[0].Raw)
			return nil
		}}}
	begun := time.Now()
	conn, err := dialer.DialContext(ctx, "tcp", p.Address)
	call.Latency = time.Since(begun)
	if err == nil {
		err = conn.Close()
	}
	if trusted { // it may have hung up since, because we showed none of ours
		call.Result = OK
		return call
	}
	if shown, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(shown.UnverifiedCertificates) > 0 {
		call.Fingerprint = Fingerprint(shown.UnverifiedCertificates[0].Raw)
	}
	call.Result, call.Detail = judge(err, host)
	return call
}

// judge names what went wrong. Words of one attempt alone, such as the port that it
// was made from, are left out: what is the same is told once.
func judge(err error, host string) (Result, string) {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch {
		case invalid.Reason != x509.Expired:
			return Unfit, invalid.Error()
		case invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
			return NotYetValid, "its certificate begins to be valid only on " + invalid.Cert.NotBefore.UTC().Format("2006-01-02 15:04:05 MST")
		case invalid.Cert != nil:
			return Expired, "its certificate ended on " + invalid.Cert.NotAfter.UTC().Format("2006-01-02 15:04:05 MST")
		}
		return Expired, invalid.Error()
	}
	if wrong, ok := errors.AsType[x509.HostnameError](err); ok {
		return NameMismatch, fmt.Sprintf("its certificate is for %s, not for %s", names(wrong.Certificate), host)
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return UnknownIssuer, "nobody in the trust store has issued its certificate, of " + subject(unknown.Cert)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Unfit, err.Error()
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return NoTLS, "what answers does not speak TLS"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return TimedOut, "it did not answer in time"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return Refused, "connection refused"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if op.Op == "remote error" || op.Op == "read" {
			return NoTLS, "the handshake was broken off: " + op.Err.Error()
		}
		return Unreachable, op.Err.Error()
	}
	return NoTLS, "the handshake was broken off: " + err.Error()
}

func names(c *x509.Certificate) string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no name"
	}
	return strings.Join(all, ", ")
}

func subject(c *x509.Certificate) string {
	if c == nil || c.Subject.String() == "" {
		return "somebody without a name"
	}
	return c.Subject.String()
}
