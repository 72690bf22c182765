//go:build linux

package chaos

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/test/cluster"
)

// Nemesis does harm. Each node has a tormentor of its own, and so has the
// database, so that faults meet. Kinds of faults are dealt like cards: none is
// done again before all others were.
type Nemesis struct {
	Cluster *cluster.Cluster
	Seed    uint64
	Only    []string      // kinds of faults to choose from; empty for all
	Lossy   bool          // the database fails over, again and again, and nothing else happens to it
	AtOnce  int           // so many nodes at most are hurt at one time, 0 for all but one
	Ending  time.Duration // how long a node that is to end may run on, 0 for mostEnding

	mu     sync.Mutex // guards the fields below
	rng    *rand.Rand
	decks  map[string][]string
	faults []Fault
	stuck  []Violation
}

// nodeFaults are what happens to a node. Whatever is begun is also ended.
var nodeFaults = map[string]func(*Nemesis, *cluster.Node){
	"kill host":               (*Nemesis).killHost,
	"kill agent":              (*Nemesis).killAgent,
	"kill supervisor":         (*Nemesis).killSupervisor,
	"terminate":               (*Nemesis).terminate,
	"freeze agent":            (*Nemesis).freezeAgent,
	"freeze supervisor":       (*Nemesis).freezeSupervisor,
	"freeze host":             (*Nemesis).freezeHost,
	"freeze supervisor, cut":  (*Nemesis).freezeSupervisorAndCut,
	"orphan":                  (*Nemesis).orphan,
	"cut both ways":           weather(cluster.Weather{HoldUp: true, HoldDown: true}, false),
	"cut towards database":    weather(cluster.Weather{HoldUp: true}, false),
	"cut towards node":        weather(cluster.Weather{HoldDown: true}, false),
	"answers lost, then torn": weather(cluster.Weather{HoldDown: true}, true),
	"slow, then gone":         (*Nemesis).slowThenGone,
	"reset":                   func(_ *Nemesis, n *cluster.Node) { n.Link.Reset() },
}

// databaseFaults are what happens to the database.
var databaseFaults = map[string]func(*Nemesis) error{
	"database restarts":      (*Nemesis).restart,
	"database freezes":       (*Nemesis).freezeDatabase,
	"backends terminated":    (*Nemesis).terminateBackends,
	"application sits on it": (*Nemesis).sit,
}

// failOvers are for a database with a standby.
var failOvers = map[string]func(*Nemesis) error{FailOver: (*Nemesis).failOver}

// Run torments until ctx ends, and heals what it hurt.
func (n *Nemesis) Run(ctx context.Context) error {
	n.rng, n.decks = rand.New(rand.NewPCG(n.Seed, 0)), map[string][]string{}
	if n.AtOnce == 0 {
		n.AtOnce = len(n.Cluster.Nodes) - 1
	}
	turns := make(chan struct{}, n.AtOnce) // somebody must be well enough to profit from a mistake
	var all sync.WaitGroup
	for _, node := range n.Cluster.Nodes {
		all.Go(func() {
			for n.rest(ctx) {
				kind := deal(n, "node", nodeFaults)
				if kind == "" {
					return
				}
				turns <- struct{}{}
				n.hurt(kind, node)
				<-turns
			}
		})
	}
	var failed error
	all.Go(func() {
		faults := databaseFaults
		if n.Lossy {
			faults = failOvers
		}
		for failed == nil && n.rest(ctx) {
			if kind := deal(n, "database", faults); kind != "" {
				n.note(kind, "", func() { failed = faults[kind](n) })
			}
		}
	})
	all.Wait()
	return failed
}

// Faults are those done so far.
func (n *Nemesis) Faults() []Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.faults
}

// Stuck tells of agents that did not end when they were told to, or had to.
func (n *Nemesis) Stuck() []Violation {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stuck
}

// mostEnding is more than any program of a trial runs on, on a machine that is busy.
const mostEnding = 20 * time.Second

// ends waits until a node has ended. What does not is written down, and taken away.
func (n *Nemesis) ends(node *cluster.Node) {
	within := cmp.Or(n.Ending, mostEnding)
	if node.Ends(within) {
		return
	}
	n.mu.Lock()
	n.stuck = append(n.stuck, Violation{"ending", fmt.Sprintf("%s has not ended after %v", node.Name, within)})
	n.mu.Unlock()
	node.KillHost()
}

// hurt does one kind of fault to a node, which is whole again afterwards.
func (n *Nemesis) hurt(kind string, node *cluster.Node) {
	node.Keep()
	n.note(kind, node.Name, func() { nodeFaults[kind](n, node) })
}

func (n *Nemesis) note(kind, node string, do func()) {
	f := Fault{Kind: kind, Node: node, From: cluster.Monotonic()}
	do()
	f.To = cluster.Monotonic()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, f)
}

// rest waits between faults; false when it is over.
func (n *Nemesis) rest(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(n.between(0.1, 1.2)):
		return true
	}
}

// between is a random time, in times to live of a session.
func (n *Nemesis) between(least, most float64) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Duration((least + n.rng.Float64()*(most-least)) * float64(n.Cluster.Terms.TTL))
}

// last lasts for a while: too short to end a session, or, more often, too long.
func (n *Nemesis) last() {
	d := n.between(1, 2.2)
	if n.between(0, 1) < n.Cluster.Terms.TTL/3 {
		d = n.between(0.2, 1)
	}
	time.Sleep(d)
}

// deal draws the next kind of fault, or none if none is wanted.
func deal[F any](n *Nemesis, name string, faults map[string]F) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	deck := n.decks[name]
	if len(deck) == 0 {
		deck = sorted(faults)
		if len(n.Only) > 0 {
			deck = slices.DeleteFunc(deck, func(kind string) bool { return !slices.Contains(n.Only, kind) })
		}
		if len(deck) == 0 {
			return ""
		}
		n.rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	}
	n.decks[name] = deck[1:]
	return deck[0]
}

func (n *Nemesis) killHost(node *cluster.Node) {
	node.KillHost()
	time.Sleep(n.between(0, 1.5))
	node.Keep()
}

func (n *Nemesis) killAgent(node *cluster.Node) {
	node.Signal(node.Agent(), syscall.SIGKILL)
	n.ends(node)
	n.comeBack(node)
}

// comeBack starts a node again as service managers do: at once, or after a while. Whatever
// it left behind is ended by its start, so that one that comes back at once hides it.
func (n *Nemesis) comeBack(node *cluster.Node) {
	if n.between(0, 1) < n.Cluster.Terms.TTL/2 {
		time.Sleep(n.between(0, 1.5))
	}
	node.Keep()
}

func (n *Nemesis) killSupervisor(node *cluster.Node) {
	node.Signal(node.Supervisor(), syscall.SIGKILL)
	n.ends(node)
	n.comeBack(node)
}

func (n *Nemesis) terminate(node *cluster.Node) {
	node.Signal(node.Supervisor(), syscall.SIGTERM)
	n.ends(node)
	node.Keep()
}

func (n *Nemesis) freezeAgent(node *cluster.Node) { n.freeze(node, node.Agent()) }

// freezeSupervisor is no longer than the supervisor's patience is tested: one
// that is silent for five seconds is killed by its agent.
func (n *Nemesis) freezeSupervisor(node *cluster.Node) { n.freeze(node, node.Supervisor()) }

// freezeSupervisorAndCut leaves the agent alone with programs that must end.
func (n *Nemesis) freezeSupervisorAndCut(node *cluster.Node) {
	node.Signal(node.Supervisor(), syscall.SIGSTOP)
	node.Link.Set(cluster.Weather{HoldUp: true, HoldDown: true})
	time.Sleep(n.between(1.5, 2.2))
	node.Link.Set(cluster.Weather{})
	node.Signal(node.Supervisor(), syscall.SIGCONT)
}

func (n *Nemesis) freeze(node *cluster.Node, pid int) {
	node.Signal(pid, syscall.SIGSTOP)
	n.last()
	node.Signal(pid, syscall.SIGCONT)
}

func (n *Nemesis) freezeHost(node *cluster.Node) {
	thaw := node.Freeze()
	n.note(Asleep, node.Name, n.last)
	thaw()
}

// orphan freezes an agent, kills its supervisor and starts the node anew: the
// former agent wakes beside the next one.
func (n *Nemesis) orphan(node *cluster.Node) {
	agent := node.Agent()
	node.Signal(agent, syscall.SIGSTOP)
	node.Signal(node.Supervisor(), syscall.SIGKILL)
	n.ends(node)
	n.last()
	node.Keep() // refused if the frozen one still has its socket
	n.last()
	node.Signal(agent, syscall.SIGCONT)
}

// weather is a fault of the network, which ends with what was on the way
// arriving late, or lost.
func weather(w cluster.Weather, torn bool) func(*Nemesis, *cluster.Node) {
	return func(n *Nemesis, node *cluster.Node) {
		node.Link.Set(w)
		n.last()
		if torn {
			node.Link.Reset()
		}
		node.Link.Set(cluster.Weather{})
	}
}

// slowThenGone lets answers come late and then not at all: trust must count
// from when a heartbeat was sent.
func (n *Nemesis) slowThenGone(node *cluster.Node) {
	// Both ways take most of what a heartbeat may take (leases.Terms.Attempt).
	t := n.Cluster.Terms
	node.Link.Set(cluster.Weather{Delay: (t.TTL - t.Margin - t.Heartbeat) * 2 / 3 * 45 / 100})
	time.Sleep(n.between(0.7, 1.2))
	node.Link.Set(cluster.Weather{HoldUp: true, HoldDown: true})
	time.Sleep(n.between(1, 2))
	node.Link.Set(cluster.Weather{})
}

func (n *Nemesis) restart() error {
	return n.Cluster.Server.Restart(context.Background(), pgserver.Immediate)
}

func (n *Nemesis) freezeDatabase() error {
	thaw := cluster.FreezeTree(n.Cluster.Server.PID())
	n.last()
	thaw()
	return nil
}

// failOver loses the primary and its last moments, and prepares for the next
// time. Meanwhile the new era must settle, or nothing would be held to be lost.
// Three times of four the primary takes with it the way to those who got a lease in
// these moments: they know of it, and the standby knows nothing.
func (n *Nemesis) failOver() error {
	var cut []*cluster.Node
	err := n.Cluster.FailOver(context.Background(), func() (err error) {
		if n.between(0, 1) < n.Cluster.Terms.TTL/4 {
			time.Sleep(n.between(0, 0.7))
			return nil
		}
		cut, err = n.cutNewHolders()
		return err
	})
	if err != nil {
		return err
	}
	time.Sleep(n.between(1, 2))
	for _, node := range cut {
		node.Link.Set(cluster.Weather{})
	}
	time.Sleep(n.between(1, 1.5))
	return n.Cluster.Follow(context.Background())
}

const newHoldersSQL = `SELECT DISTINCT holder FROM coterie.leases WHERE valid AND acquired_at > $1`

// cutNewHolders waits until leases move, for two times to live at most, and cuts
// off the nodes that got them.
func (n *Nemesis) cutNewHolders() (cut []*cluster.Node, err error) {
	var since time.Time
	if err := n.Cluster.DB.Get(&since, `SELECT coterie.clock()`); err != nil {
		return nil, err
	}
	var names []string
	for begun := time.Now(); len(names) == 0 && time.Since(begun) < 2*n.Cluster.Terms.TTL; time.Sleep(10 * time.Millisecond) {
		if err := n.Cluster.DB.Select(&names, newHoldersSQL, since); err != nil {
			return nil, err
		}
	}
	for _, node := range n.Cluster.Nodes {
		if slices.Contains(names, node.Name) {
			node.Link.Set(cluster.Weather{HoldUp: true, HoldDown: true})
			cut = append(cut, node)
		}
	}
	return cut, nil
}

const terminateSQL = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'login%'`

func (n *Nemesis) terminateBackends() error {
	_, err := n.Cluster.DB.Exec(terminateSQL)
	return err
}

// sit is an application that asserts a lease and then does nothing.
func (n *Nemesis) sit() error {
	tx, err := n.Cluster.DB.Beginx()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`SELECT coterie.assert_lease(name, token) FROM coterie.leases WHERE valid ORDER BY random() LIMIT 1`); err == nil {
		n.last()
	}
	return tx.Rollback()
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
