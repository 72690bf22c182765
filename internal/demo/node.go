package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coterie-ha/coterie/sql/pgserver"
)

// node is one installation: a configuration, a line to the database, and the
// processes of an agent.
type node struct {
	name    string
	place   *place
	program string
	line    *line
	port    int // of its status page

	mu       sync.Mutex // guards the fields below
	agent    *child     // its supervisor; nil while it is down
	frozen   bool
	stopping bool
	rest     time.Duration // how long it stays down when it ends next
	starts   int
	zombie   bool // it was frozen at least once: late words of it are no wonder
}

// restAfterCrash is how long a node that ended by itself stays down.
const restAfterCrash = time.Second

// openNode makes the files of a node and opens its line.
func openNode(ctx context.Context, p *place, program, name, server string) (*node, error) {
	n := &node{name: name, place: p, program: program}
	if err := os.Mkdir(p.path("line", name), 0o700); err != nil {
		return nil, err
	}
	var err error
	if n.line, err = openLine(ctx, p.path("line", name, ".s.PGSQL.5432"), server); err != nil {
		return nil, err
	}
	ports, err := pgserver.FreePorts(ctx, 1)
	if err != nil {
		return nil, err
	}
	n.port = ports[0]
	return n, os.WriteFile(n.config(), []byte(n.configuration()), 0o600)
}

func (n *node) config() string { return n.place.path(n.name + ".yaml") }
func (n *node) log() string    { return n.place.path("log", n.name+".log") }
func (n *node) page() string   { return fmt.Sprintf("http://127.0.0.1:%d/", n.port) }

// mark is what the processes of this node carry.
func (n *node) mark() string { return markEnv + "=" + n.place.path(n.name) }

// configuration is an ordinary one, with a shorter patience.
func (n *node) configuration() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Written by coterie demo; it goes when the demo ends.
cluster: %s
node:
  name: %s
  address: 127.0.0.1
database:
  dsn: %q
  connect_timeout: 1s
  statement_timeout: 1s
appdata:
  path: %q
  layout: ucd
  check_every: 2s
app:
  version: "8.0.1.0"
http:
  listen: 127.0.0.1:%d
drain:
  deadline: 5s
log:
  format: text
actions:
`, clusterName, n.name, fmt.Sprintf("host=%s port=5432 dbname=%s user=%s", n.place.path("line", n.name), databaseName, roleOf(n.name)),
		n.place.path("share"), n.port)
	for _, work := range Works() {
		fmt.Fprintf(&b, "  - name: %s\n    command: [%q, demo, work, %s, %q]\n    env: [%q]\n", work, n.program, work, n.place.path("share"), n.mark())
	}
	return b.String()
}

// roleOf is the node's login at the database.
func roleOf(name string) string { return "demo-" + name }

// Run keeps an agent running until ctx ends, as a service manager would; then it
// tells it to stop. ended is told how often it ended by itself.
func (n *node) Run(ctx context.Context, ended func(n *node, why error)) error {
	for {
		c, err := n.start()
		if err != nil {
			return fmt.Errorf("start the agent of %s: %w", n.name, err)
		}
		select {
		case <-ctx.Done():
			return n.stop(c)
		case <-c.ended:
		}
		rest, meant := n.down()
		if !meant {
			ended(n, c.err)
		}
		if err := errors.Join(n.killAll()); err != nil {
			return err
		}
		t := time.NewTimer(rest)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

func (n *node) start() (*child, error) {
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(n.program, "-c", n.config(), "agent")
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.place.dir, log, log
	cmd.Env = append(plainEnv(), n.mark())
	ownGroup(cmd)
	c, err := startChild(cmd)
	if err := errors.Join(err, log.Close()); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.agent, n.frozen, n.rest = c, false, 0
	n.starts++
	return c, nil
}

// plainEnv is this environment without what would configure the agent.
func plainEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "COTERIE_") || strings.HasPrefix(v, "PG") || strings.HasPrefix(v, "NOTIFY_SOCKET=") || strings.HasPrefix(v, markEnv)
	})
}

// down notes that the agent has ended, and tells whether somebody meant it to.
func (n *node) down() (rest time.Duration, meant bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.agent, n.frozen = nil, false
	if n.rest > 0 {
		return n.rest, true
	}
	return restAfterCrash, n.stopping
}

// stop tells an agent to leave, and insists after a while.
func (n *node) stop(c *child) error {
	n.mu.Lock()
	n.stopping = true
	n.mu.Unlock()
	if err := n.thaw(); err != nil {
		return err
	}
	if err := signalTo(c.pid, syscall.SIGTERM); err != nil {
		return err
	}
	t := time.NewTimer(stopTime)
	defer t.Stop()
	select {
	case <-c.ended:
	case <-t.C:
	}
	err := n.killAll()
	<-c.ended
	return err
}

// stopTime is how long an agent may take to leave.
const stopTime = 8 * time.Second

// processes are those of this node, supervisor first.
func (n *node) processes() ([]process, error) {
	all, err := marked(n.place.dir)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	ours := slices.DeleteFunc(all, func(p process) bool { return p.node != n.name })
	for i, p := range ours {
		switch {
		case n.agent != nil && p.pid == n.agent.pid:
			ours[i].rank = rankSupervisor
		case n.agent != nil && p.parent == n.agent.pid && slices.Contains(p.argv, n.config()):
			ours[i].rank = rankAgent
		default:
			ours[i].rank = rankBelow
		}
	}
	slices.SortStableFunc(ours, func(a, b process) int { return a.rank - b.rank })
	return ours, nil
}

// Ranks of a node's processes.
const (
	rankSupervisor = iota
	rankAgent
	rankBelow // runs and workers
)

func (n *node) killAll() error {
	for {
		ours, err := n.processes()
		if err != nil || len(ours) == 0 {
			return err
		}
		if err := endProcesses(ours, false); err != nil {
			return err
		}
		<-time.After(time.Millisecond)
	}
}

// doing tells people what is being done to a node.
func (n *node) doing() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.agent == nil:
		return "killed"
	case n.frozen:
		return "frozen"
	case n.line.isCut():
		return "cut off"
	}
	return ""
}

func (n *node) wasZombie() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.zombie
}
