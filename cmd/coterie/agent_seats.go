package main

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/coordinator/supervisor"
	"github.com/coterie-ha/coterie/license"
	"github.com/coterie-ha/coterie/sql/schema"
)

// newSeats is the desk at which local applications get licence seats.
func (a *agent) newSeats() *license.Desk {
	return &license.Desk{
		DB: a.work, Node: a.cfg.Node.Name, Now: supervisor.BootTime, Log: a.log,
		Journal: filepath.Join(a.cfg.Node.StateDir, "licenses.journal"),
		Memory:  filepath.Join(a.cfg.Node.StateDir, "licenses.memory"), Boot: coordinator.Boot(),
	}
}

const (
	sweepEvery = 15 * time.Second
	probeEvery = 30 * time.Second
)

// license counts seats. A cluster without pools and without licence servers costs
// nothing but a look whenever the ledger moved.
func (a *agent) license(ctx context.Context) error {
	loops, ctx := errgroup.WithContext(ctx)
	loops.Go(func() error { return a.seats.Run(ctx) })
	loops.Go(func() error { return a.tend(ctx) })
	if a.cfg.License.Source != "none" {
		loops.Go(func() error { return a.watchWork(ctx) })
	}
	return loops.Wait()
}

// tend follows what pools there are, and looks after them.
func (a *agent) tend(ctx context.Context) error {
	var pools []license.Pool
	var servers []license.Server
	var swept, probed time.Time
	without := map[string]string{}
	tick := time.NewTicker(sweepEvery / 3)
	defer tick.Stop()
	for {
		moved := false
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.licensed:
			moved = true
		case <-tick.C:
		}
		if moved {
			var err error
			if pools, servers, err = a.readLicenses(ctx); err != nil {
				if ctx.Err() == nil {
					a.log.Debug("licences not read", "err", err)
				}
				continue // the next heartbeat finds it moved, or the tick
			}
			a.seats.Learn(pools)
			probed = time.Time{}
		}
		if len(pools) > 0 && (moved || time.Since(swept) >= sweepEvery) {
			swept = time.Now()
			a.takeOwnSeats(ctx, pools, without)
			if err := a.seats.Sweep(ctx); err != nil && ctx.Err() == nil {
				a.log.Debug("seats not swept", "err", err)
			}
		}
		if len(servers) > 0 && time.Since(probed) >= probeEvery {
			probed = time.Now()
			a.probeServers(ctx, servers)
		}
	}
}

func (a *agent) readLicenses(ctx context.Context) ([]license.Pool, []license.Server, error) {
	pools, err := license.ReadPools(ctx, a.work)
	if err != nil {
		poke(a.licensed)
		return nil, nil, errors.Join(err, pause(ctx, time.Second))
	}
	servers, err := license.ReadServers(ctx, a.work)
	return pools, servers, err
}

// takeOwnSeats checks out what a node needs for itself: server licences, and its
// place among a limited number of nodes. A node without one is a finding, and asks
// again; without remembers for which pools that has been said, and why.
func (a *agent) takeOwnSeats(ctx context.Context, pools []license.Pool, without map[string]string) {
	if s := a.knows().state; s == coordinator.Left || s == coordinator.Leaving {
		return
	}
	for _, p := range pools {
		if !p.PerNode || p.Kind != "servers" && p.Kind != "nodes" {
			continue
		}
		_, err := a.seats.Checkout(ctx, license.Use{Pool: p.Name, Holder: a.cfg.Node.Name}, 0)
		switch said := without[p.Name]; {
		case ctx.Err() != nil:
			return
		case err == nil && said != "":
			delete(without, p.Name)
			a.log.Info("this node has its licence", "pool", p.Name)
		case err != nil && said != err.Error():
			without[p.Name] = err.Error()
			a.log.Warn("this node has no licence", "pool", p.Name, "err", err)
		}
	}
}

// probeServers asks all licence servers at once, and reports what it saw.
func (a *agent) probeServers(ctx context.Context, servers []license.Server) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
	defer cancel()
	sights := make([]license.Sight, len(servers))
	var wait sync.WaitGroup
	for i, s := range servers {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
			defer cancel()
			sights[i] = license.Probe(ctx, s)
		})
	}
	wait.Wait()
	for _, s := range sights {
		if err := license.Report(ctx, a.work, a.cfg.Node.Name, a.session.Load().View().Incarnation, s); err != nil {
			a.log.Debug("a licence server is not reported", "err", err)
		}
	}
}

// watchWork counts the users of an application that asks for no seats.
func (a *agent) watchWork(ctx context.Context) error {
	cfg := a.cfg.License
	if cfg.Source == "log" {
		log := &license.Log{Path: cfg.Log, Pattern: regexp.MustCompile(cfg.Pattern), Window: cfg.Window, Now: supervisor.BootTime}
		return a.seats.Follow(ctx, cfg.Pool, cfg.Every, a.noting(log.Uses))
	}
	o := a.options("license source", 1)
	o.DSN, o.PasswordFile = cfg.DSN, cfg.Password
	for {
		db, err := schema.Open(ctx, o)
		if err == nil {
			defer db.Close()
			return a.seats.Follow(ctx, cfg.Pool, cfg.Every, a.noting(license.FromQuery(db, cfg.Query)))
		}
		a.blind(err)
		a.log.Warn("the application's database cannot be asked who is at work", "err", err)
		if err := pause(ctx, cfg.Every); err != nil {
			return err
		}
	}
}

// noting is the source, whose trouble is shown as this node's.
func (a *agent) noting(source license.Source) license.Source {
	return func(ctx context.Context) ([]license.Use, error) {
		uses, err := source(ctx)
		a.blind(err)
		return uses, err
	}
}

// blind notes why it cannot be seen who is at work, or that it can.
func (a *agent) blind(err error) {
	text := ""
	if err != nil {
		text = "who is at work is not known: " + err.Error()
	}
	var was string
	a.know(func(k *memory) { was, k.blind = k.blind, text })
	if was != text {
		poke(a.facts)
	}
}

// seatsBegan hangs seats off a new session.
func (a *agent) seatsBegan(incarnation int64) {
	a.seats.Began(incarnation)
	poke(a.licensed)
}
