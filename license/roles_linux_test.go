package license

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

// role is what this program is when it is started again: an agent's desk, or
// applications beside it.
type role struct {
	What    string // node or clients
	Node    string
	DSN     string
	Dir     string // of diaries and sockets
	Diary   string
	Clients int           // of one process
	Users   int           // that they all play
	Holds   time.Duration // at most
	Idle    time.Duration // of the pool
}

func (r role) environment() []string {
	return append(os.Environ(), fmt.Sprintf("COTERIE_SEATS=%s|%s|%s|%s|%s|%d|%d|%d|%d", r.What, r.Node, r.DSN, r.Dir, r.Diary, r.Clients, r.Users, r.Holds, r.Idle))
}

func roleOf(text string) (r role, err error) {
	words := strings.Split(text, "|")
	r.What, r.Node, r.DSN, r.Dir, r.Diary = words[0], words[1], words[2], words[3], words[4]
	for i, into := range []any{&r.Clients, &r.Users, &r.Holds, &r.Idle} {
		if _, err := fmt.Sscan(words[5+i], into); err != nil {
			return role{}, err
		}
	}
	return r, nil
}

// TestMain lets the test program be a node or its clients, which can be killed.
func TestMain(m *testing.M) {
	text := os.Getenv("COTERIE_SEATS")
	if text == "" {
		os.Exit(m.Run())
	}
	r, err := roleOf(text)
	if err == nil {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // whoever started this has the other end
			os.Exit(0)
		}()
		err = map[string]func(role) error{"node": beNode, "clients": beClients}[r.What](r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// boot is a clock that all processes share.
func boot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// beNode is an agent as far as seats go: a session, a desk, a socket. Its diary says
// until when its session can be trusted; when that is over, it ends.
func beNode(r role) error {
	ctx, cancel := context.WithCancel(context.Background()) // a session takes one that cannot end for ended
	defer cancel()
	file, err := os.OpenFile(filepath.Join(r.Dir, r.Node), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	beats, err := schema.Open(ctx, schema.Options{DSN: r.DSN, MaxConns: 2})
	if err != nil {
		return err
	}
	pool, err := schema.Open(ctx, schema.Options{DSN: r.DSN, MaxConns: 2})
	if err != nil {
		return err
	}
	d := &Desk{DB: pool, Node: r.Node, Now: boot}
	s := &leases.Session{DB: beats, Node: r.Node, Hold: func(context.Context, leases.Grant) {}}
	s.Began = func(incarnation int64, _ time.Time) { d.Began(incarnation) }
	go func() {
		var noted time.Time
		for {
			time.Sleep(2 * time.Millisecond)
			until := s.View().Trusted
			if until.Sub(noted).Abs() > 10*time.Millisecond { // told anew with each turn of its loop, and differs a little
				noted = until
				fmt.Fprintf(file, "%d ~ trusted\n", boot()+time.Until(until))
			}
			if !until.IsZero() && time.Now().After(until) {
				fmt.Fprintf(file, "%d ! session\n", boot()+time.Until(until))
				os.Exit(3)
			}
		}
	}()
	pools, err := ReadPools(ctx, pool)
	if err != nil {
		return err
	}
	d.Learn(pools)
	go func() { _ = d.Run(ctx) }()
	listener, err := net.Listen("unix", filepath.Join(r.Dir, r.Node+".sock"))
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, d.Handler(func(context.Context) (int, bool) { return 1000, true })) }()
	return s.Run(ctx)
}

// beClients is applications that take seats and give them back. Their diary says
// when they knew that somebody had a seat: from after the answer until before it
// was given back, and no longer than the pool lets a use idle, counted from before
// it was asked for.
func beClients(r role) error {
	file, err := os.OpenFile(filepath.Join(r.Dir, r.Diary), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	note := func(what string, about ...any) {
		if _, err := fmt.Fprintln(file, append([]any{int64(boot()), what}, about...)...); err != nil {
			panic(err)
		}
	}
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: r.Clients, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(r.Dir, r.Node+".sock"))
	}}}
	ask := func(method, user, session string) int {
		req, err := http.NewRequest(method, "http://agent/v1/licenses/floating/holders/"+user+"?session="+session, nil)
		if err != nil {
			panic(err)
		}
		resp, err := web.Do(req)
		if err != nil {
			return 0
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	var wait sync.WaitGroup
	for range r.Clients {
		wait.Go(func() {
			for {
				user, session := fmt.Sprintf("user%d", rand.IntN(r.Users)), strconv.FormatUint(uint64(rand.Uint32()), 36)
				asked := boot()
				switch status := ask(http.MethodPut, user, session); status {
				case http.StatusOK:
					note("+", user, session, int64(asked+r.Idle))
					time.Sleep(rand.N(r.Holds))
					note("-", user, session)
					ask(http.MethodDelete, user, session)
				case http.StatusConflict:
					note("x", user)
					time.Sleep(rand.N(10 * time.Millisecond))
				case 0:
					time.Sleep(20 * time.Millisecond) // the agent is not there, or not yet
				default:
					note("?", status)
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	wait.Wait()
	return nil
}
