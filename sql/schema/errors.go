package schema

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/lib/pq"
)

// Why a connection could not be made. A ConnectError is exactly one of them.
var (
	ErrUnreachable = errors.New("the server cannot be reached")
	ErrSlow        = errors.New("the server did not answer in time")
	ErrLogin       = errors.New("the login was refused")
	ErrNoDatabase  = errors.New("there is no such database")
	ErrTLS         = errors.New("no verified TLS connection")
	ErrReadOnly    = errors.New("no server accepts writes")
	ErrFull        = errors.New("the server takes no more connections")
)

// ConnectError is a connection that could not be made.
type ConnectError struct {
	Kind                   error // one of the sentinels above
	Server, Database, User string
	Err                    error
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("connect to database %q at %s as %q: %v: %v", e.Database, e.Server, e.User, e.Kind, e.Err)
}

// Unwrap gives both what kind of failure it was and what was said of it.
func (e *ConnectError) Unwrap() []error { return []error{e.Kind, e.Err} }

func connectError(cfg pq.Config, err error) error {
	database := cfg.Database
	if database == "" {
		database = cfg.User
	}
	return &ConnectError{Kind: kindOf(err), Server: servers(cfg), Database: database, User: cfg.User, Err: err}
}

// kindOf judges a failure. With several hosts the error is a tree of each
// host's, and the first answer that a server gave counts more than silence.
func kindOf(err error) error {
	if said := as[*pq.Error](err); said != nil {
		if kind := kindOfCode(string((*said).Code)); kind != nil {
			return kind
		}
	}
	if isTLS(err) {
		return ErrTLS
	}
	text := err.Error()
	if strings.Contains(text, "session is read-only") || strings.Contains(text, "in hot standby mode") {
		return ErrReadOnly
	}
	if strings.Contains(text, "SCRAM") || strings.Contains(text, "password file") {
		return ErrLogin
	}
	var netErr net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout() {
		return ErrSlow
	}
	return ErrUnreachable
}

func kindOfCode(code string) error {
	switch {
	case strings.HasPrefix(code, "28"), code == "42501": // 42501: no CONNECT privilege on the database
		return ErrLogin
	case code == "3D000":
		return ErrNoDatabase
	case code == "53300":
		return ErrFull
	}
	return nil
}

func isTLS(err error) bool {
	var file *fs.PathError // lib/pq reads nothing but certificates and keys
	return errors.Is(err, pq.ErrSSLNotSupported) || errors.As(err, &file) && !strings.Contains(err.Error(), "password file") ||
		as[*tls.CertificateVerificationError](err) != nil || as[tls.RecordHeaderError](err) != nil ||
		as[tls.AlertError](err) != nil || as[x509.UnknownAuthorityError](err) != nil ||
		as[x509.HostnameError](err) != nil || as[x509.CertificateInvalidError](err) != nil ||
		strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "x509: ")
}

// as is errors.As for a type that is only to be recognised.
func as[T error](err error) *T {
	var found T
	if errors.As(err, &found) {
		return &found
	}
	return nil
}
