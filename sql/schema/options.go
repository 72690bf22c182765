package schema

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// DefaultBudget is how long one statement may take.
const DefaultBudget = 5 * time.Second

// defaultConnect is how long making one connection may take.
const defaultConnect = 5 * time.Second

// Options say how to reach the database.
type Options struct {
	DSN          string        // as libpq takes it, keywords or URL; libpq's environment variables fill its gaps
	PasswordFile string        // holds the password; read anew at each connection
	Application  string        // application_name, "coterie" if empty
	Budget       time.Duration // longest time of one statement, DefaultBudget if 0
	Connect      time.Duration // longest time of making a connection; 0 for the DSN's connect_timeout, or 5 s
	MaxConns     int           // size of the pool, 0 for unlimited
	Insecure     bool          // permit less than verify-full to other hosts

	// Notice receives what the server says beside its answers. With synchronous
	// replication a commit may be reported as local only in this way.
	Notice func(*pq.Error)

	// Dial makes the network connection, a net.Dialer if nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o Options) budget() time.Duration {
	if o.Budget > 0 {
		return o.Budget
	}
	return DefaultBudget
}

// ErrInsecure says that the connection string asks for a connection over the
// network that does not verify the server.
var ErrInsecure = errors.New("the connection would not verify the server")

// config is what lib/pq is told: nothing is left to its own defaults.
func (o Options) config() (pq.Config, error) {
	cfg, err := pq.NewConfig(o.DSN)
	if err != nil {
		return pq.Config{}, fmt.Errorf("read the connection string: %w", withoutDSN(o.DSN, err))
	}
	local, err := o.secure(&cfg)
	if err != nil {
		return pq.Config{}, err
	}
	cfg.BinaryParameters = true // one round trip, and no named statements for a pooler to lose
	if cfg.ApplicationName == "" {
		cfg.ApplicationName = "coterie"
		if o.Application != "" {
			cfg.ApplicationName = o.Application
		}
	}
	if cfg.TargetSessionAttrs == "" {
		cfg.TargetSessionAttrs = pq.TargetSessionAttrsReadWrite
	}
	if _, set := cfg.Runtime["timezone"]; !set {
		cfg.Runtime["timezone"] = "UTC"
	}
	switch {
	case o.Connect > 0:
		cfg.ConnectTimeout = o.Connect
	case cfg.ConnectTimeout <= 0:
		cfg.ConnectTimeout = defaultConnect
	}
	if !local && cfg.SSLMinProtocolVersion == "" {
		cfg.SSLMinProtocolVersion = pq.SSLProtocolVersionTLS12
	}
	return cfg, nil
}

// secure settles sslmode and tells whether the server is on this machine.
func (o Options) secure(cfg *pq.Config) (local bool, err error) {
	sockets, loopbacks := 0, 0
	all := hosts(*cfg)
	for _, h := range all {
		switch {
		case h.Hostaddr.IsValid():
			if h.Hostaddr.IsLoopback() {
				loopbacks++
			}
		case isSocket(h.Host):
			sockets++
		case isLoopback(h.Host):
			loopbacks++
		}
	}
	// lib/pq decides by the first host alone whether any of them gets TLS.
	if sockets > 0 && sockets < len(all) {
		return false, errors.New("the connection string mixes Unix sockets and network hosts")
	}
	if sockets > 0 {
		cfg.SSLMode = pq.SSLModeDisable
		return true, nil
	}
	local = loopbacks == len(all)
	if cfg.SSLMode == "" {
		cfg.SSLMode = pq.SSLModeVerifyFull
	}
	if cfg.SSLMode != pq.SSLModeVerifyFull && !local && !o.Insecure {
		return false, fmt.Errorf("sslmode=%s to %s: %w; use sslmode=verify-full with sslrootcert=FILE", cfg.SSLMode, servers(*cfg), ErrInsecure)
	}
	return local, nil
}

func hosts(cfg pq.Config) []pq.ConfigMultihost {
	first := pq.ConfigMultihost{Host: cfg.Host, Hostaddr: cfg.Hostaddr, Port: cfg.Port}
	return append([]pq.ConfigMultihost{first}, cfg.Multi...)
}

// servers names the hosts for people.
func servers(cfg pq.Config) string {
	var names []string
	for _, h := range hosts(cfg) {
		name := h.Host
		if h.Hostaddr.IsValid() {
			name = h.Hostaddr.String()
		}
		if isSocket(name) {
			names = append(names, filepath.Join(name, ".s.PGSQL."+strconv.Itoa(int(h.Port))))
			continue
		}
		names = append(names, net.JoinHostPort(name, strconv.Itoa(int(h.Port))))
	}
	return strings.Join(names, ",")
}

func isSocket(host string) bool { return filepath.IsAbs(host) || strings.HasPrefix(host, "@") }

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// withoutDSN keeps a parser's complaint only when it cannot quote a password.
func withoutDSN(dsn string, err error) error {
	if strings.Contains(dsn, "://") || strings.Contains(strings.ToLower(dsn), "pass") {
		return errors.New(`it is not of the form "host=H dbname=D user=U" or postgres://U@H/D ` +
			`(its text is withheld as it may hold a password; a password file has no need of quoting)`)
	}
	return err
}

// readPassword reads a file that only its owner and group may read.
func readPassword(file string) (string, error) {
	st, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("read the password file: %w", err)
	}
	if st.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("password file %s is open to everybody (mode %v): chmod 0600 it", file, st.Mode().Perm())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the password file: %w", err)
	}
	password, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(password, "\r"), nil
}
