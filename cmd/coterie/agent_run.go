package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
	"golang.org/x/sync/errgroup"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/worker"
	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/coordinator/attest"
	"github.com/coterie-ha/coterie/coordinator/console"
	"github.com/coterie-ha/coterie/coordinator/loans"
	"github.com/coterie-ha/coterie/coordinator/supervisor"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/keystore/rollout"
	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/license"
	"github.com/coterie-ha/coterie/sql/schema"
)

// agent is one process of the sidecar: its parts, wired. Each part knows only
// its own business; what passes between them passes here.
//
//	life      begins sessions, one after another; holds leases through runner
//	follow    reads again what moved in the database: goal, definitions
//	show      reads again the lists that the console shows
//	citizen   chooses the node's state from facts, reports it
//	prober    looks at the share through a worker
//	watcher   tells the journal what this host changes in the share
//	circle    hears of nodes that wait to be seen on the share
//	listener  turns notifications into hints
//	console   shows what is known
//	desk      lends leases to local processes
//	seats     gives licence seats to local applications
//	keys      lets keystores be sealed to this node, and shares them with others
//	rollouts  has the keystore of this node's server be what the cluster wants
//	encryption  lets the node be ready only with the encryption keystore of the others
//	trusts    publishes what that server shows, renders whom it trusts, and tries it
//	readBack  reads for other hosts what migrations have moved to the share
//	line      the supervisor: keeps the deadline, starts programs
type agent struct {
	cfg        *config.Config
	log        *slog.Logger
	supervisor *supervisor.Client

	identity coordinator.Identity
	node     coordinator.Node
	cluster  string // id of the cluster
	schema   schema.Version
	pooling  schema.Pooling
	beats    *sqlx.DB // heartbeats have a pool of their own
	work     *sqlx.DB
	runner   *jobs.Runner
	share    *worker.Pool
	metrics  *console.Metrics
	member   *attest.Member
	desk     *loans.Desk
	seats    *license.Desk
	started  time.Time

	session  atomic.Pointer[leases.Session]
	moved    chan struct{} // the ledger or the runs moved, or might have
	shown    chan struct{} // what the console shows may have moved
	facts    chan struct{} // something that the state depends on changed
	noticed  chan struct{} // hooks may have something to tell
	lent     chan struct{} // other leases are lent to local processes
	licensed chan struct{} // pools of licences moved, or might have
	keyed    chan struct{} // keystores or who opens them moved, or might have
	told     chan struct{} // the ledger moved: another node may wait to be seen
	looks    chan struct{} // somebody waits for a look at the share
	rolled   chan struct{} // a rollout of a keystore moved, or might have
	vouched  chan struct{} // whom servers trust moved, or might have
	reloads  chan struct{} // has room for the one reload of the server that may be under way
	rolling  atomic.Bool   // one is open, as far as is known
	sighted  chan struct{} // what is seen of the encryption keystore, or is to be seen, moved
	copied   chan struct{} // the copy of the keystore on the share may have to be written
	drifted  chan struct{} // of this node's own files something may be wanted
	renewing chan struct{} // the certificate may have to be renewed
	asked    chan struct{} // what a migration has moved may have to be read back

	rollout atomic.Pointer[rollout.View] // of the keystore, as it was read last

	silence silence // of the database; heartbeats alone touch it

	mu    sync.Mutex // guards known
	known memory
}

// memory is what this agent knows in memory.
type memory struct {
	state      coordinator.State
	message    string
	wanted     coordinator.Wanted
	reports    int // that the database took, so that what was read before one is told
	joined     bool
	admitted   bool // this process has had a session, so that no other one has this node's name
	share      appdata.Condition
	looked     bool // share is known
	proof      attest.Verdict
	stepped    time.Duration     // by how far the database's clock was seen to jump, not recorded yet
	unkeyed    string            // why its keystore keeps this node from being ready
	unlike     string            // why the encryption keystore does
	contents   *appdata.Contents // of files on the share
	contentsAt time.Time         // when the look began that told of them
	keystore   console.Keystore  // of the server here
	untrusted  string            // why trust keeps this node from being ready
	announced  announced         // what its server is about to show
	trust      console.Trust
	restarting bool   // its server is about to be restarted
	failure    string // why the last heartbeat failed
	blind      string // why it is not known who is at work, where a source of seats shows that
	head       int64
	runs       int64
	docs       map[string]console.Document
	requests   []string     // leases of those that were taken from the queue
	mark       leases.Token // highest that this node knows of, from wherever
}

// announced is the certificate of a version of the keystore.
type announced struct {
	version     int64
	certificate []byte // nil: there is none
}

func (a *agent) know(f func(*memory)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.known)
}

func (a *agent) knows() memory {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known
}

// poke puts a hint into a channel that holds one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run joins the cluster and works until ctx ends; then it leaves.
func (a *agent) run(ctx context.Context) error {
	a.started = time.Now()
	debug.SetGCPercent(20) // a sidecar has its memory from the application, and little to do
	a.moved, a.facts, a.shown = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	a.lent, a.noticed, a.licensed = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	a.keyed, a.told, a.looks = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	a.rolled, a.sighted = make(chan struct{}, 1), make(chan struct{}, 1)
	a.drifted, a.asked = make(chan struct{}, 1), make(chan struct{}, 1)
	a.copied, a.renewing = make(chan struct{}, 1), make(chan struct{}, 1)
	a.vouched, a.reloads = make(chan struct{}, 1), make(chan struct{}, 1)
	a.desk = &loans.Desk{
		Change: func([]string) { poke(a.lent) },
		Trust:  func() time.Duration { return time.Until(a.session.Load().View().Trusted) },
	}
	a.metrics = console.NewMetrics(a.cfg.Cluster, buildVersion())
	if err := a.open(ctx); err != nil {
		return err
	}
	defer a.beats.Close()
	defer a.work.Close()
	if err := a.join(ctx); err != nil {
		return err
	}
	a.member = &attest.Member{DB: a.work, Node: a.cfg.Node.Name, Every: a.cfg.AppData.CheckEvery}
	a.share = &worker.Pool{Argv: []string{"/proc/self/exe", verbWorker}, Deadline: a.cfg.AppData.AnswerWithin}
	a.member.Stuck = a.share.Abandoned
	defer a.share.Close()

	// Told to stop, the node first leaves; all loops go on meanwhile, and the
	// supervisor's line is the last to end, since runs are stopped through it.
	loops, life := errgroup.WithContext(context.WithoutCancel(ctx))
	line, hangUp := context.WithCancelCause(context.WithoutCancel(ctx))
	loops.Go(func() error { return a.supervisor.Run(line) })
	loops.Go(func() error {
		err := a.live(life)
		hangUp(err)
		return err
	})
	loops.Go(func() error { return a.console().Run(life) })
	loops.Go(func() error { return a.listen(life) })
	loops.Go(func() error { return a.prober().Run(life, a.sawShare) })
	loops.Go(func() error { return a.circle(life) })
	loops.Go(func() error { return a.watchShare(life) })
	loops.Go(func() error { return a.heedFiles(life) })
	loops.Go(func() error { return a.follow(life) })
	loops.Go(func() error { return a.show(life) })
	loops.Go(func() error { return a.lend(life) })
	loops.Go(func() error { return a.notify(life) })
	loops.Go(func() error { return a.license(life) })
	loops.Go(func() error { return a.keys(life) })
	loops.Go(func() error { return a.rollouts(life) })
	loops.Go(func() error { return a.encryption(life) })
	loops.Go(func() error { return a.trusts(life) })
	loops.Go(func() error { return a.own(life) })
	loops.Go(func() error { return a.readBack(life) })
	loops.Go(func() error { return a.citizen(ctx, life) })
	err := loops.Wait()
	if errors.Is(err, errLeft) {
		a.log.Info("left the cluster")
		return nil
	}
	return err
}

// errLeft ends the loops of a node that has left.
var errLeft = errors.New("the node has left")

// open connects, and makes sure that the database is one that this program knows.
func (a *agent) open(ctx context.Context) error {
	var err error
	if a.beats, err = schema.Open(ctx, a.options("heartbeat", 2)); err != nil {
		return err
	}
	if a.work, err = schema.Open(ctx, a.options("agent", a.cfg.Database.PoolSize)); err != nil {
		return errors.Join(err, a.beats.Close())
	}
	schema.Resize(a.work, min(2, a.cfg.Database.PoolSize)) // while it is young
	if a.pooling, err = schema.FindPooling(ctx, a.options("pooler", 0)); err != nil {
		return err
	}
	if a.pooling == schema.TransactionPooling {
		a.log.Warn("a pooler shares connections: notifications are not heard, and a hand-over takes up to a heartbeat")
	}
	if a.cfg.Database.AutoMigrate {
		if err := a.upgrade(ctx); err != nil {
			return err
		}
	}
	a.schema, err = schema.Check(ctx, a.work)
	return err
}

// upgrade makes the schema and the cluster when they are missing or old. What is
// up to date is not touched: applying it again waits for whoever reads.
func (a *agent) upgrade(ctx context.Context) error {
	st, err := schema.Status(ctx, a.work)
	if err != nil {
		return err
	}
	if !st.CodeCurrent || len(st.Pending) > 0 || st.Problem != nil {
		if _, err := schema.Migrate(ctx, a.work); err != nil {
			return err
		}
	}
	_, err = coordinator.Init(ctx, a.work, a.cfg.Cluster)
	return err
}

func (a *agent) options(purpose string, conns int) schema.Options {
	return schema.Options{
		DSN: a.cfg.Database.DSN, PasswordFile: a.cfg.Database.PasswordFile,
		Application: "coterie " + purpose + " " + a.cfg.Node.Name,
		Budget:      a.cfg.Database.StatementTimeout, Connect: a.cfg.Database.ConnectTimeout, MaxConns: conns,
	}
}

// join presents this node to the cluster.
func (a *agent) join(ctx context.Context) error {
	identity, err := coordinator.OpenIdentity(a.cfg.Node.StateDir)
	if err != nil {
		return err
	}
	a.identity = identity
	app, err := appVersion(a.cfg.App)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("ask for the name of this host: %w", err)
	}
	a.node = coordinator.Node{
		DB: a.work, Cluster: a.cfg.Cluster, Name: a.cfg.Node.Name, ID: identity.ID(),
		Address: a.address(ctx), Host: host, Version: buildVersion(), AppVersion: app,
		Tags: a.cfg.Node.Tags, Candidate: a.cfg.Node.Candidate, Weight: a.cfg.Node.Weight,
	}
	a.node.Actions = append(slices.Sorted(maps.Keys(a.builtins())), jobs.PruneAction)
	for _, action := range a.cfg.Actions {
		a.node.Actions = append(a.node.Actions, action.Name)
	}
	welcome, err := a.node.Join(ctx)
	if err != nil {
		return err
	}
	a.cluster = welcome.ClusterID
	a.know(func(k *memory) {
		k.joined, k.state = true, coordinator.Joining
		k.untrusted = "asking whether it may join"
		if a.cfg.Keystore.File != "" {
			k.unkeyed = "looking at the keystore"
		}
		if a.cfg.Keystore.Encryption != "" {
			k.unlike = "looking at " + a.cfg.Keystore.Encryption
		}
		k.wanted.State, k.wanted.Goal = coordinator.Joining, welcome.Goal
	})
	a.log.Info("joined", "cluster", a.cfg.Cluster, "id", identity.ID(), "version", buildVersion())
	if a.runner, err = a.newRunner(); err != nil {
		return err
	}
	a.know(func(k *memory) { k.mark = identity.Mark() })
	a.seats = a.newSeats()
	a.session.Store(&leases.Session{}) // none yet
	return nil
}

// appVersion is what the configuration says, or the first line of its file.
func appVersion(cfg config.App) (string, error) {
	if cfg.VersionFile == "" {
		return cfg.Version, nil
	}
	text, err := os.ReadFile(cfg.VersionFile)
	if err != nil {
		return "", fmt.Errorf("read app.version_file: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line), nil
}

// address is the configured one, or that of the route to the database.
func (a *agent) address(ctx context.Context) string {
	if a.cfg.Node.Address != "" {
		return a.cfg.Node.Address
	}
	var client *string
	if err := a.work.GetContext(ctx, &client, `SELECT host(inet_client_addr())`); err != nil || client == nil {
		return "" // a Unix socket: there is no route
	}
	if ip := net.ParseIP(*client); ip == nil || ip.IsLoopback() {
		return ""
	}
	return *client
}

// mark is the highest token that this node knows of: from its sessions, from
// the memory of this installation, from the share.
func (a *agent) mark() leases.Token { return max(a.knows().mark, a.session.Load().View().Mark) }

// listen turns notifications into hints. A hint that is lost costs a heartbeat.
func (a *agent) listen(ctx context.Context) error {
	if a.pooling == schema.TransactionPooling {
		<-ctx.Done() // what listens there is a connection of somebody else a moment later
		return context.Cause(ctx)
	}
	hints := make(chan struct{}, 1)
	o := a.options("listener", 0)
	o.Budget = 0
	// A dead line is noticed by TCP; the ping is for one that only looks alive, and
	// rare, because a node at rest costs its heartbeats and nothing else.
	listener := schema.Listener{Options: o, Channel: "coterie", Ping: 10 * time.Minute, Told: func(text string) bool {
		share := text == "share"
		if share {
			poke(a.told)
		}
		return share
	}}
	loops, ctx := errgroup.WithContext(ctx)
	loops.Go(func() error { return listener.Run(ctx, hints) })
	loops.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-hints:
				a.session.Load().Wake()
				if a.rolling.Load() {
					poke(a.rolled) // the heartbeat that looks first takes a moment
				}
			}
		}
	})
	return loops.Wait()
}
