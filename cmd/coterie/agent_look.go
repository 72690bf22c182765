package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/console"
	"github.com/coterie-ha/coterie/sql/schema"
)

// follow reads again what moved: the node's goal, the jobs' definitions.
func (a *agent) follow(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.moved:
		}
		begun := time.Now()
		if err := a.catchUp(ctx); err != nil && ctx.Err() == nil {
			a.log.Debug("not caught up", "err", err)
			poke(a.moved)
		}
		poke(a.shown)
		if err := pause(ctx, max(100*time.Millisecond, 9*time.Since(begun))); err != nil {
			return err
		}
	}
}

func (a *agent) catchUp(ctx context.Context) error {
	if err := a.identity.Note(a.mark()); err != nil {
		a.log.Warn("a restore of the database might go unnoticed", "err", err)
	}
	if err := a.recordStep(ctx); err != nil {
		return err
	}
	before := a.runner.Takes()
	if err := a.runner.Refresh(ctx); err != nil {
		return err
	}
	if s := a.session.Load(); !slices.Equal(before, a.runner.Takes()) && s.View().Incarnation != 0 {
		s.Change(a.takes(), a.wants()) // jobs that want tags of this node came or went
	}
	if err := a.takeRequests(ctx); err != nil {
		return err
	}
	reports := a.knows().reports
	wanted, err := a.node.Wanted(ctx)
	if err != nil {
		return err
	}
	a.know(func(k *memory) {
		switch {
		case k.reports != reports: // read before this node's own last word
			wanted.State = k.wanted.State
		case wanted.State == "": // no row, so that nobody wants anything new
			wanted.Goal, wanted.By, wanted.Reason = k.wanted.Goal, k.wanted.By, k.wanted.Reason
		}
		k.wanted = wanted
	})
	poke(a.facts)
	return nil
}

// show reads again the lists that the console shows, when something moved. They
// take the server longer than all else that moves, and every node reads them: so not
// before the node has begun its work, and not more often than a person would look.
func (a *agent) show(ctx context.Context) error {
	// Nodes that start together do not all ask, or grow, at once.
	if err := pause(ctx, aMoment/4+rand.N(aMoment/2)); err != nil {
		return err
	}
	grown := time.After(aMoment/2 + rand.N(aMoment))
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-grown:
			schema.Resize(a.work, a.cfg.Database.PoolSize)
			poke(a.licensed)
			poke(a.keyed)
			continue
		case <-a.shown:
		}
		begun := time.Now()
		docs, err := look(ctx, a.work)
		switch {
		case err == nil:
			a.know(func(k *memory) { k.docs = docs })
		case ctx.Err() == nil:
			a.log.Debug("lists not read", "err", err)
			poke(a.shown)
		}
		if err := pause(ctx, max(time.Second, 9*time.Since(begun))); err != nil {
			return err
		}
	}
}

// recordStep puts a jump of the database's clock into the ledger, once for all
// nodes that saw it.
func (a *agent) recordStep(ctx context.Context) error {
	var jumped time.Duration
	a.know(func(k *memory) { jumped, k.stepped = k.stepped, 0 })
	if jumped == 0 {
		return nil
	}
	conn, err := a.work.Connx(ctx)
	if err == nil {
		defer conn.Close()
		var told bool
		err = conn.GetContext(ctx, &told, `SELECT coterie.clock_stepped($1, $2, $3)`, a.cfg.Node.Name, a.session.Load().View().Incarnation, jumped.Milliseconds())
	}
	if err != nil {
		a.know(func(k *memory) { k.stepped += jumped })
		return fmt.Errorf("record a step of the database's clock: %w", err)
	}
	return nil
}

// lookSQL reads every list that the console shows, in one statement.
const lookSQL = `SELECT name, list FROM coterie.console_lists()`

func look(ctx context.Context, db *sqlx.DB) (map[string]console.Document, error) {
	var lists []struct {
		Name string
		List []byte
	}
	if err := db.SelectContext(ctx, &lists, lookSQL); err != nil {
		return nil, fmt.Errorf("read the lists: %w", err)
	}
	asOf := time.Now()
	docs := make(map[string]console.Document, len(lists))
	for _, l := range lists {
		if l.List == nil {
			l.List = []byte("[]")
		}
		docs[l.Name] = console.Document{Rows: json.RawMessage(l.List), AsOf: asOf}
	}
	return docs, nil
}

// reportSQL is said when what the node sees of the share changed, and now and
// then when it did not.
const reportSQL = `SELECT coterie.storage_report($1, $2, $3::coterie.storage_state, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

func (a *agent) reportShare(ctx context.Context, c appdata.Condition) error {
	incarnation := a.session.Load().View().Incarnation
	conn, err := a.work.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var told bool
	err = conn.GetContext(ctx, &told, reportSQL, a.cfg.Node.Name, incarnation, string(c.State), c.Reason,
		c.MarkerOK, c.Readable, c.Writable, c.Mount.FSType, c.Mount.Source, c.Mount.Options,
		float64(c.Latency)/float64(time.Millisecond), c.FreeBytes, c.Generation)
	if err != nil {
		return fmt.Errorf("report the share: %w", err)
	}
	if !told {
		return fmt.Errorf("report the share: no session yet")
	}
	return nil
}

// console shows what is known; no request costs a statement.
func (a *agent) console() *console.Console {
	return &console.Console{
		Listen: a.cfg.HTTP.Listen, Socket: a.cfg.HTTP.Socket, CheckPath: a.cfg.HTTP.CheckPath,
		Version: buildVersion(), Snapshot: a.snapshot, Metrics: a.metrics, Log: a.log,
		Local: a.local(),
	}
}

// local answers the processes of this host: those that borrow leases, and those
// that are runs.
func (a *agent) local() http.Handler {
	runs := a.runner.Local(func(r *http.Request) (int, bool) { return console.Peer(r.Context()) })
	mux := http.NewServeMux()
	mux.Handle("/v1/runs/", runs)
	mux.Handle("/v1/licenses/", a.seats.Handler(console.Peer))
	mux.Handle("/v1/runs.openapi.yaml", runs)
	mux.Handle("/v1/", a.desk.Handler(console.Peer))
	return mux
}

func (a *agent) snapshot() console.Snapshot {
	k, s := a.knows(), a.session.Load()
	view := s.View()
	stats := a.work.Stats()
	snap := console.Snapshot{
		Cluster: a.cfg.Cluster, Node: a.cfg.Node.Name,
		Goal: string(k.wanted.Goal), GoalBy: k.wanted.By, GoalReason: k.wanted.Reason,
		State: string(k.state), Message: k.message,
		Joined: k.joined, Schema: a.schema.Number, Started: a.started, Turned: view.Turned,
		TTL: view.Terms.TTL, Heartbeat: view.Terms.Heartbeat, Margin: view.Terms.Margin,
		Trusted: view.Trusted, Beaten: view.Beaten, RTT: view.RTT, Err: k.failure, Now: s.Clock.Now(),
		Share:    console.Share{State: string(k.share.State), Proved: k.share.Usable() && k.share.MarkerOK, FreeBytes: k.share.FreeBytes},
		Keystore: k.keystore, Trust: k.trust,
		Pool: console.Pool{InUse: stats.InUse, Idle: stats.Idle, Waited: stats.WaitDuration},
		Docs: maps.Clone(k.docs),
	}
	for _, l := range view.Held {
		snap.Held = append(snap.Held, console.Lease{Name: l.Name, Token: int64(l.Token)})
	}
	snap.Segments = segments(k, snap)
	return snap
}

// segments are what must work on this node for its server to work.
func segments(k memory, s console.Snapshot) []console.Segment {
	trusted := time.Now().Before(s.Trusted)
	session := console.Segment{Name: "session", OK: trusted, Text: "trusted"}
	if !trusted {
		session.Text = "not trusted: nothing is run here"
	}
	database := console.Segment{Name: "database", OK: k.failure == "", Text: "answers in " + s.RTT.Round(10*time.Microsecond).String()}
	if !database.OK {
		database.Text = k.failure
	}
	share := console.Segment{Name: "share", OK: k.share.Usable(), Text: string(k.share.State)}
	switch {
	case !k.looked:
		share.Text = "not looked at yet"
	case k.share.Reason != "":
		share.Text += ": " + k.share.Reason
	}
	return []console.Segment{session, database, share}
}
