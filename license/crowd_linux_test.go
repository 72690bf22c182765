package license

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/pgserver"
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

// beNode is an agent as far as seats go: a session, a desk, a socket. When its
// session cannot be trusted any more it says so in its diary, and ends.
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
		for {
			time.Sleep(2 * time.Millisecond)
			if until := s.View().Trusted; !until.IsZero() && time.Now().After(until) {
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
// was given back, and no longer than the pool lets a use idle.
func beClients(r role) error {
	file, err := os.OpenFile(filepath.Join(r.Dir, r.Diary), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	note := func(at time.Duration, what, user string) {
		if _, err := fmt.Fprintf(file, "%d %s %s\n", at, what, user); err != nil {
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
				user, session := fmt.Sprintf("user%d", rand.IntN(r.Users)), strconv.FormatUint(rand.Uint64(), 36)
				asked := boot()
				switch status := ask(http.MethodPut, user, session); status {
				case http.StatusOK:
					note(boot(), "+", user)
					time.Sleep(rand.N(r.Holds))
					note(min(boot(), asked+r.Idle), "-", user)
					ask(http.MethodDelete, user, session)
				case http.StatusConflict:
					note(boot(), "x", user)
					time.Sleep(rand.N(10 * time.Millisecond))
				case 0:
					time.Sleep(20 * time.Millisecond) // the agent is not there, or not yet
				default:
					note(boot(), "?", strconv.Itoa(status))
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	wait.Wait()
	return nil
}

// process is one of a crowd.
type process struct {
	role
	cmd  *exec.Cmd
	line io.Closer     // it ends with this
	done chan struct{} // closed when it has ended
}

// crowd is nodes and clients that are killed, and followed by others.
type crowd struct {
	testing.TB
	server  *pgserver.Server
	sized   role // what all have in common
	beside  int  // processes of clients beside each node
	nodes   []*process
	clients map[string][]*process // by node
	born    int
	ends    map[string]time.Duration // when each was killed, by diary
}

func (c *crowd) start(r role) *process {
	p := &process{role: r, cmd: exec.Command(os.Args[0], "-test.run=NONE"), done: make(chan struct{})}
	p.cmd.Env = r.environment()
	p.cmd.Stderr = os.Stderr
	var err error
	if p.line, err = p.cmd.StdinPipe(); err != nil {
		c.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		c.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // it was killed, as it should
		close(p.done)
	}()
	return p
}

// spawn starts a node and the clients beside it.
func (c *crowd) spawn() {
	c.born++
	r := c.sized
	r.What, r.Node = "node", fmt.Sprintf("n%d", c.born)
	c.nodes = append(c.nodes, c.start(r))
	for range c.beside {
		c.spawnClients(r.Node)
	}
}

func (c *crowd) spawnClients(node string) {
	c.born++
	r := c.sized
	r.What, r.Node, r.Diary = "clients", node, fmt.Sprintf("%s.c%d", node, c.born)
	c.clients[node] = append(c.clients[node], c.start(r))
}

// end kills a process, whatever it is doing.
func (c *crowd) end(p *process) {
	name := p.Diary
	if p.What == "node" {
		name = p.Node
	}
	c.ends[name] = boot()
	_ = p.cmd.Process.Kill() // perhaps it has ended by itself
	<-p.done
	_ = p.line.Close() // it is closed already when the process is reaped
}

// killNode kills the node at a place, and its clients, which are nothing without it.
func (c *crowd) killNode(i int) {
	p := c.nodes[i]
	c.nodes = append(c.nodes[:i], c.nodes[i+1:]...)
	c.end(p)
	for _, clients := range c.clients[p.Node] {
		c.end(clients)
	}
	delete(c.clients, p.Node)
}

// killClients kills one process of clients.
func (c *crowd) killClients() {
	node := c.nodes[rand.IntN(len(c.nodes))].Node
	i := rand.IntN(len(c.clients[node]))
	c.end(c.clients[node][i])
	c.clients[node] = append(c.clients[node][:i], c.clients[node][i+1:]...)
	c.spawnClients(node)
}

// tend follows nodes that ended by themselves.
func (c *crowd) tend() {
	for i := len(c.nodes) - 1; i >= 0; i-- {
		select {
		case <-c.nodes[i].done:
			c.killNode(i)
			c.spawn()
		default:
		}
	}
}

func (c *crowd) endAll() {
	for len(c.nodes) > 0 {
		c.killNode(0)
	}
}

// hurt kills one thing: mostly clients, often a node, at times the server.
func (c *crowd) hurt(n int) {
	switch {
	case n%12 == 2:
		if err := c.server.Restart(c.Context(), []pgserver.Mode{pgserver.Immediate, pgserver.Kill}[n/12%2]); err != nil {
			c.Fatal(err)
		}
	case n%3 == 0:
		c.killNode(rand.IntN(len(c.nodes)))
		c.spawn()
	default:
		c.killClients()
	}
	c.tend()
}

// newCrowd is a crowd without anybody yet, on a server that can be killed.
func newCrowd(t testing.TB, seats int, settings map[string]string, mutate string) (*crowd, *lab) {
	t.Helper()
	server, err := pgserver.Start(t.Context(), pgserver.Options{Durable: true, MaxConns: 200, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	db, err := schema.Open(t.Context(), schema.Options{DSN: server.DSN("postgres"), MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // after a crash of the server it complains
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	l := &lab{TB: t, db: db, nodes: map[string]*node{}}
	l.exec(`SELECT coterie.cluster_init('lab')`)
	l.exec(`UPDATE coterie.setting SET session_ttl = '2s', heartbeat = '300ms', margin = '300ms'`)
	l.define(fmt.Sprintf(`{"pools": [{"name": "floating", "seats": %d, "idle": "2s"}]}`, seats))
	if mutate != "" {
		l.exec(mutate)
	}
	c := crowdOn(t, server.DSN("postgres"))
	c.server = server
	return c, l
}

func crowdOn(t testing.TB, dsn string) *crowd {
	return &crowd{TB: t, clients: map[string][]*process{}, ends: map[string]time.Duration{}, beside: 1,
		sized: role{DSN: dsn, Dir: t.TempDir(), Clients: 8, Users: 100, Holds: 30 * time.Millisecond, Idle: 2 * time.Second}}
}

// size tells how much is written in diaries.
func (c *crowd) size() (bytes int64) {
	files, err := os.ReadDir(c.sized.Dir)
	if err != nil {
		c.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			c.Fatal(err)
		}
		if err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
	}
	return bytes
}

// diaries reads what everybody wrote.
func (c *crowd) diaries() map[string][]byte {
	all := map[string][]byte{}
	files, err := os.ReadDir(c.sized.Dir)
	if err != nil {
		c.Fatal(err)
	}
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(c.sized.Dir, f.Name()))
		if err != nil {
			c.Fatal(err)
		}
		all[f.Name()] = text
	}
	return all
}
