//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// A link of the nemesis is a proxy, whose ends always answer. Here packets vanish
// in the kernel: connections cannot even be made, what was sent is sent again, and
// each side learns of it, or not, as TCP has it.
func TestAPartitionOfTheNetworkItselfKeepsHoldersApart(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT RUN: it takes half a minute")
	}
	const nodes = 3
	var wires []*cluster.Network
	for i := range nodes {
		w, err := cluster.NewNetwork(t, i+1)
		if errors.Is(err, cluster.ErrNoNetwork) {
			t.Skipf("NOT TESTED: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		wires = append(wires, w)
	}
	c := cluster.Start(t, cluster.Options{Terms: usual, Settings: map[string]string{"listen_addresses": "*"}})
	c.Admit(wires...)
	actions := c.WitnessAction(cluster.Witness{For: 2500 * time.Millisecond, Step: 10 * time.Millisecond})
	for i := range nodes {
		c.Apply(cluster.Job{Name: fmt.Sprintf("job-%d", i), Every: time.Second})
	}
	networks := map[string]*cluster.Network{}
	for i, w := range wires {
		n := c.Add(fmt.Sprintf("n%d", i), cluster.NodeOptions{Actions: actions})
		n.Through(w)
		n.Start()
		networks[n.Name] = w
	}
	c.AwaitReady()
	c.AwaitHeld()

	w := &Watcher{DSN: c.DSN("postgres")}
	watching, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if err := w.Run(watching); err != nil {
			t.Error(err)
		}
	})
	var faults []Fault
	for name, breaks := range map[string]func(*cluster.Network) error{
		"requests vanish": (*cluster.Network).Mute,
		"answers vanish":  (*cluster.Network).Deafen,
		"unplugged":       (*cluster.Network).Unplug,
		"narrow":          (*cluster.Network).Narrow,
	} {
		c.AwaitHeld()
		victim := cluster.Get[string](c, `SELECT holder FROM coterie.leases WHERE valid ORDER BY random() LIMIT 1`)
		f := Fault{Kind: name, Node: victim, From: cluster.Monotonic()}
		if err := breaks(networks[victim]); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if name == "narrow" {
			c.Elapse(3 * usual.TTL)
		} else {
			c.Await(`SELECT bool_and(valid AND holder <> $1) FROM coterie.leases`, victim)
		}
		t.Logf("%s: %s, all is held by others after %v", victim, name, time.Since(begun).Round(time.Millisecond))
		c.Elapse(usual.TTL)
		if err := networks[victim].Mend(); err != nil {
			t.Fatal(err)
		}
		f.To = cluster.Monotonic()
		faults = append(faults, f)
		c.AwaitReady()
	}
	ill := healed(c, nodes)
	stop()
	all.Wait()
	for _, node := range c.Nodes {
		node.Freeze()
	}
	h, err := Gather(c, w, faults)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range append(ill, h.Check()...) {
		t.Error(v)
	}
	claims := 0
	for _, e := range h.Events {
		if e.Kind == "lease.claimed" {
			claims++
		}
	}
	t.Logf("%d claims, %d testimonies, %d reads", claims, len(h.Testimonies), len(h.Reads))
	if claims < 2*nodes || len(h.Testimonies) < 500 {
		t.Errorf("%d claims, %d testimonies: too little happened to prove anything", claims, len(h.Testimonies))
	}
}
