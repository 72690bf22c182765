//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Node is one installation of the agent, and its process while it runs.
type Node struct {
	Name string
	Link *Link // between the agent and the database

	c    *Cluster
	opts NodeOptions
	life *life
}

// NodeOptions are what differs between nodes.
type NodeOptions struct {
	Actions     string // the configuration's list of actions, as YAML
	AutoMigrate bool   // with the right to prepare the database
	Node        string // further keys of the node, such as "candidate: false, tags: [big]"
	Share       string // its shared folder, if it is not that of the cluster
	More        string // further groups of the configuration, as YAML
	Env         []string
	Inside      []string // a command that runs the agent somewhere else
}

// life is one process of the agent's supervisor.
type life struct {
	cmd   *exec.Cmd
	pid   int
	agent int
	ended chan struct{} // closed when it has been reaped
}

// Add makes a node; Start starts it.
func (c *Cluster) Add(name string, o NodeOptions) *Node {
	c.t.Helper()
	n := &Node{Name: name, c: c, opts: o}
	var err error
	if n.Link, err = newLink(c.Server.Port); err != nil {
		c.t.Fatal(err)
	}
	role := "IN ROLE coterie_agent"
	if o.AutoMigrate {
		role = "SUPERUSER"
	}
	c.Exec(fmt.Sprintf("CREATE ROLE %s LOGIN %s", n.login(), role))
	if err := os.WriteFile(n.Config(), []byte(n.config()), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.Nodes = append(c.Nodes, n)
	return n
}

// Config is the node's configuration file.
func (n *Node) login() string   { return "login_" + strings.ReplaceAll(n.Name, "-", "_") }
func (n *Node) Config() string  { return filepath.Join(n.c.Dir, n.Name+".yaml") }
func (n *Node) LogFile() string { return filepath.Join(n.c.Dir, n.Name+".log") }

// Share is the folder that the node takes for the share.
func (n *Node) Share() string {
	if n.opts.Share != "" {
		return n.opts.Share
	}
	return n.c.share()
}

func (n *Node) config() string {
	level := n.c.options.LogLevel
	if level == "" {
		level = "info"
	}
	more := ""
	if n.opts.Node != "" {
		more = ", " + n.opts.Node
	}
	return fmt.Sprintf(`cluster: %s
node: {name: %s%s}
database:
  dsn: "host=127.0.0.1 port=%d dbname=%s user=%s sslmode=disable"
  auto_migrate: %t
appdata: {path: %q}
http: {listen: "127.0.0.1:0"}
log: {level: %s, format: text}
%s`, name, n.Name, more, n.Link.Port, database, n.login(), n.opts.AutoMigrate, n.Share(), level, n.opts.Actions+n.opts.More)
}

// Start starts the agent. Its process does not outlive this one.
func (n *Node) Start() {
	n.c.t.Helper()
	if n.Alive() {
		n.c.t.Fatalf("%s runs already", n.Name)
	}
	log, err := os.OpenFile(n.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		n.c.t.Fatal(err)
	}
	defer log.Close()
	argv := append(slices.Clone(n.opts.Inside), n.c.program, "-c", n.Config(), "agent")
	cmd := exec.CommandContext(context.Background(), argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), n.opts.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	l := &life{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the parent-death signal comes when this thread ends
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // a killed process is no error here
		}
		close(l.ended)
	}()
	if err := <-started; err != nil {
		n.c.t.Fatal(err)
	}
	l.pid = cmd.Process.Pid
	n.life = l
}

// Keep starts the node again when it has ended by itself, as a service manager
// does.
func (n *Node) Keep() {
	n.c.t.Helper()
	if !n.Alive() {
		n.Start()
	}
}

// Again has the node stop, and start with further variables of the environment.
func (n *Node) Again(env ...string) {
	n.c.t.Helper()
	n.Signal(n.Supervisor(), syscall.SIGTERM)
	n.Reaped()
	n.opts.Env = append(slices.Clone(n.opts.Env), env...)
	n.Start()
}

// Alive tells whether the supervisor's process is there.
func (n *Node) Alive() bool {
	if n.life == nil {
		return false
	}
	select {
	case <-n.life.ended:
		return false
	default:
		return true
	}
}

// Supervisor is the process id of the supervisor.
func (n *Node) Supervisor() int { return n.life.pid }

// Agent is the process id of the agent, as soon as it is there; 0 when the node
// ends before.
func (n *Node) Agent() int {
	n.c.t.Helper()
	for begun := time.Now(); n.life.agent == 0 && n.Alive(); time.Sleep(time.Millisecond) {
		for _, pid := range children(n.life.pid) {
			if strings.Contains(commandLine(pid), "agent-main") {
				n.life.agent = pid
			}
		}
		if time.Since(begun) > patience {
			n.c.t.Fatalf("%s has no agent", n.Name)
		}
	}
	return n.life.agent
}

// Signal sends a signal to one process; that it has gone already is no matter.
func (n *Node) Signal(pid int, sig syscall.Signal) {
	n.c.t.Helper()
	if pid == 0 {
		return
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		n.c.t.Fatalf("signal %v to %s: %v", sig, n.Name, err)
	}
}

// KillHost takes supervisor and agent away in the same moment, as the loss of a
// host does: nobody is left to say a last will.
func (n *Node) KillHost() {
	n.c.t.Helper()
	agent := n.Agent()
	n.Signal(n.life.pid, syscall.SIGKILL)
	n.Signal(agent, syscall.SIGKILL)
	n.Reaped()
}

// Reaped waits until the supervisor's process has ended.
func (n *Node) Reaped() {
	n.c.t.Helper()
	if !n.Ends(patience) {
		n.c.t.Fatalf("%s does not end", n.Name)
	}
}

// Ends waits until the supervisor's process has ended; false when it has not by then.
func (n *Node) Ends(within time.Duration) bool {
	select {
	case <-n.life.ended:
		return true
	case <-time.After(within):
		return false
	}
}

// Descendants are the process ids of all that descends from the supervisor.
func (n *Node) Descendants() []int { return descendants(n.life.pid) }

// Freeze stops all processes of the node, as a host does that is suspended.
// They go on when thaw is called.
func (n *Node) Freeze() (thaw func()) { return FreezeTree(n.life.pid) }

// end kills what is left of the node.
func (n *Node) end() {
	if n.Alive() {
		tree := descendants(n.life.pid)
		for _, pid := range append([]int{n.life.pid}, tree...) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have gone by itself
		}
		<-n.life.ended
	}
	n.Link.close()
}

// Jobs are the process ids of the programs that the node's jobs run.
func (n *Node) Jobs() []int {
	self, err := os.Executable()
	if err != nil {
		n.c.t.Fatal(err)
	}
	return slices.DeleteFunc(n.Descendants(), func(pid int) bool { return !strings.HasPrefix(commandLine(pid), self) })
}
