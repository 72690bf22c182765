//go:build unix

package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/schema"
)

const budget = 300 * time.Millisecond

// within opens a pool with one connection whose statements have the budget.
func within(t *testing.T, o schema.Options) *sql.Conn {
	t.Helper()
	o.Budget = budget
	db, err := schema.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), db.Close()); err != nil && !errors.Is(err, sql.ErrConnDone) {
			t.Error(err)
		}
	})
	return c
}

// ends runs a statement and wants an error in little more than the budget.
func ends(t *testing.T, c *sql.Conn, statement string) {
	t.Helper()
	begun := time.Now()
	_, err := c.ExecContext(context.Background(), statement)
	took := time.Since(begun)
	var netErr net.Error
	if !errors.As(err, &netErr) || !netErr.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
	if took < budget || took > budget+budget/2 {
		t.Errorf("it took %v, want about %v", took, budget)
	}
}

func TestAStatementEndsWithinItsBudgetWhenTheBackendIsStopped(t *testing.T) {
	c := within(t, schema.Options{DSN: server.DSN("postgres")})
	var pid int
	if err := c.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	}()
	ends(t, c, "SELECT 1")
}

func TestAStatementEndsWithinItsBudgetWhenItRunsLong(t *testing.T) {
	c := within(t, schema.Options{DSN: server.TCP("postgres")})
	for range 3 { // the budget is of each statement, not of the connection
		time.Sleep(budget / 2)
		if _, err := c.ExecContext(t.Context(), "SELECT pg_sleep(0.1)"); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(budget + 50*time.Millisecond) // idling costs nothing
	ends(t, c, "SELECT pg_sleep(10)")
}

// valve is a connection whose packets can be let vanish.
type valve struct {
	net.Conn
	mu   sync.Mutex // guards shut
	shut bool
}

func (v *valve) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.shut {
		return len(b), nil
	}
	return v.Conn.Write(b)
}

func (v *valve) shutOff() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shut = true
}

func TestAStatementEndsWithinItsBudgetWhenPacketsVanish(t *testing.T) {
	var v *valve
	c := within(t, schema.Options{DSN: server.TCP("postgres"), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		inner, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		v = &valve{Conn: inner}
		return v, nil
	}})
	v.shutOff()
	ends(t, c, "SELECT 1")
}

func TestMakingAConnectionEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := schema.Open(ctx, schema.Options{DSN: "host=127.0.0.1 user=u sslmode=disable port=" + strconv.Itoa(silent(t))})
	if !errors.Is(err, schema.ErrSlow) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a timeout", err)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %v", took)
	}
}
