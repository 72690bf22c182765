package license

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
)

// Server is a licence server of another maker, written port@host.
type Server struct {
	Host string
	Port int
}

func (s Server) String() string { return strconv.Itoa(s.Port) + "@" + s.Host }

// ErrServers means that a list of licence servers cannot be understood.
var ErrServers = errors.New("not a list of licence servers such as 27000@a:27000@b")

var hostRule = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`) })

// ParseServers reads a list as FlexNet writes it: 27000@a:27000@b, or with commas.
// Three are a triad, of which two must answer.
func ParseServers(text string) ([]Server, error) {
	var servers []Server
	for one := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ':' || r == ',' || r == ';' || r == ' ' }) {
		port, host, ok := strings.Cut(one, "@")
		n, err := strconv.Atoi(port)
		if !ok || err != nil || n < 1 || n > 65535 || !hostRule().MatchString(host) {
			return nil, fmt.Errorf("%w: %q", ErrServers, one)
		}
		if slices.Contains(servers, (Server{host, n})) {
			return nil, fmt.Errorf("%w: %q is there twice", ErrServers, one)
		}
		servers = append(servers, Server{host, n})
	}
	if len(servers) == 0 || len(servers) > 9 {
		return nil, fmt.Errorf("%w: %d servers; 1 to 9", ErrServers, len(servers))
	}
	return servers, nil
}

// Sight is whether a server answered.
type Sight struct {
	Server
	Err  error
	Took time.Duration
}

// Probe makes a connection and drops it: that is what is promised to work.
func Probe(ctx context.Context, s Server) Sight {
	began := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err == nil {
		err = conn.Close()
	}
	return Sight{Server: s, Err: err, Took: time.Since(began)}
}

// ReadServers reads the list that holds for all nodes.
func ReadServers(ctx context.Context, db *sqlx.DB) ([]Server, error) {
	var names []string
	if err := db.SelectContext(ctx, &names, `SELECT server FROM coterie.license_servers ORDER BY place`); err != nil {
		return nil, fmt.Errorf("read the licence servers: %w", err)
	}
	if len(names) == 0 {
		return nil, nil
	}
	return ParseServers(strings.Join(names, ","))
}

const sawSQL = `SELECT coterie.license_saw($1, $2, $3, $4, $5, $6, $7)`

// Report writes down what a node saw of a server.
func Report(ctx context.Context, db *sqlx.DB, node string, incarnation int64, s Sight) error {
	reason := ""
	if s.Err != nil {
		reason = s.Err.Error()
	}
	var told bool
	err := on(ctx, db, func(conn *sqlx.Conn) error {
		return conn.GetContext(ctx, &told, sawSQL, node, incarnation, s.Host, s.Port, s.Err == nil, float64(s.Took)/float64(time.Millisecond), reason)
	})
	if err != nil {
		return fmt.Errorf("report licence server %s: %w", s.Server, err)
	}
	return nil
}
