package license

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

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

// freeze stops a process without its knowledge, until it is killed.
func (c *crowd) freeze(p *process) {
	if err := p.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		c.Fatal(err)
	}
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

// answered tells how many checkouts were answered.
func (c *crowd) answered() (n int) {
	v := judge(c.diaries(), c.ends)
	return v.grants + v.refusals
}

// diaries reads what everybody wrote.
func (c *crowd) diaries() map[string]diary {
	all := map[string]diary{}
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
		all[f.Name()] = diary(text)
	}
	return all
}
