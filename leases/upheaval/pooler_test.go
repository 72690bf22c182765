package upheaval_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/pgserver"
)

// TestNodesGoOnBehindAPooler holds leases through PgBouncer while the server or
// the pooler itself goes away and comes back.
func TestNodesGoOnBehindAPooler(t *testing.T) {
	t.Parallel()
	for _, how := range []pgserver.Pooling{pgserver.SessionPooling, pgserver.TransactionPooling} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			s := server(t, pgserver.Options{})
			p := pooler(t, s, how)
			interruption(t, s, dsnOf(p), func(t *testing.T, s *pgserver.Server) {
				restart(t, s, pgserver.Immediate, 0)
			})
		})
		t.Run(string(how)+", the pooler restarted", func(t *testing.T) {
			t.Parallel()
			s := server(t, pgserver.Options{})
			p := pooler(t, s, how)
			interruption(t, s, dsnOf(p), func(t *testing.T, _ *pgserver.Server) {
				if err := p.Stop(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(terms.Heartbeat)
				if err := p.Resume(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// pooler is a PgBouncer for all logins of these tests. By default it waits for
// 15 s after a failed connection before it tries the server again.
func pooler(t *testing.T, s *pgserver.Server, how pgserver.Pooling) *pgserver.Pooler {
	t.Helper()
	p, err := s.Pool(t.Context(), how, []string{"app_a", "app_b", "app_c"}, map[string]string{"server_login_retry": "1"})
	if errors.Is(err, pgserver.ErrNoPooler) && os.Getenv("COTERIE_CI") == "" {
		t.Skipf("NO PGBOUNCER (%v): not tested; make pgbouncer installs it", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func dsnOf(p *pgserver.Pooler) func(login string) string {
	return func(login string) string {
		return fmt.Sprintf("host=127.0.0.1 port=%d dbname=app user=%s sslmode=disable", p.Port, login)
	}
}
