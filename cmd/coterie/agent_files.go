package main

import (
	"context"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/sql/schema"
)

// fileHook is a hook for files: what changed is heeded by each node for itself.
type fileHook struct {
	jobs.Hook
	files []string
}

// wants tells whether a path, or a folder above it, is one of the hook's.
func (h fileHook) wants(name string) bool {
	for part := name; part != "." && part != "/"; part = path.Dir(part) {
		for _, pattern := range h.files {
			if fits, err := path.Match(pattern, part); err == nil && fits {
				return true
			}
		}
	}
	return false
}

func (a *agent) fileHooks() []fileHook {
	var hooks []fileHook
	for _, c := range a.cfg.Hooks {
		if len(c.Files) > 0 {
			hooks = append(hooks, fileHook{a.hook(c), c.Files})
		}
	}
	return hooks
}

// heedEvery is how often the journal is looked at though nobody said that it grew.
const heedEvery = 10 * time.Second

// heedFiles has hooks act upon changes of the share, wherever they were made.
func (a *agent) heedFiles(ctx context.Context) error {
	hooks := a.fileHooks()
	if len(hooks) == 0 {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	hints := make(chan struct{}, 1)
	loops, ctx := errgroup.WithContext(ctx)
	if a.pooling != schema.TransactionPooling {
		o := a.options("changes", 0)
		o.Budget = 0
		loops.Go(func() error {
			return schema.Listener{Options: o, Channel: "coterie_appdata", Ping: 10 * time.Minute}.Run(ctx, hints)
		})
	}
	loops.Go(func() error {
		tick := time.NewTicker(heedEvery)
		defer tick.Stop()
		for {
			if v := a.session.Load().View(); v.Incarnation != 0 {
				for _, h := range hooks {
					if err := a.heed(ctx, h, v.Incarnation); err != nil && ctx.Err() == nil {
						a.log.Warn("a hook for files", "hook", h.Name, "err", err)
					}
				}
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-hints:
			case <-tick.C:
			}
		}
	})
	return loops.Wait()
}

// heed lets one hook act upon what came since it last did. The changes are its
// own before it begins, so that none is acted upon twice, whatever becomes of it.
func (a *agent) heed(ctx context.Context, h fileHook, incarnation int64) error {
	store := manifest.Store{DB: a.work, Node: a.cfg.Node.Name}
	for {
		asking, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
		changes, more, err := store.Heed(asking, incarnation, h.Name)
		cancel()
		if err != nil {
			return err
		}
		var wanted []manifest.Heeded
		for _, c := range changes {
			if h.wants(c.Path) || c.From != nil && h.wants(*c.From) {
				wanted = append(wanted, c)
			}
		}
		if len(wanted) > 0 {
			failed := a.act(ctx, h, wanted)
			if failed != nil {
				a.log.Warn("a hook for files did not work", "hook", h.Name, "err", failed)
			}
			asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.Database.StatementTimeout)
			err := store.HeedEnded(asking, incarnation, h.Name, failed)
			cancel()
			if err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// showFor is how long a hook waits until this node's own mount shows what changed.
const showFor = 10 * time.Second

func (a *agent) act(ctx context.Context, h fileHook, changes []manifest.Heeded) error {
	shown := a.shows(ctx, changes)
	last := changes[len(changes)-1].Seq
	var paths strings.Builder
	for i := range changes {
		c := &changes[i]
		if c.Class == string(appdata.Secret) {
			c.Digest = nil // it is told to nobody
		}
		if paths.Len() < 64<<10 {
			paths.WriteString(c.Path + "\n")
		}
	}
	body, err := json.Marshal(struct {
		Schema  string            `json:"schema"`
		Node    string            `json:"node"`
		Hook    string            `json:"hook"`
		Shown   bool              `json:"shown"`
		Changes []manifest.Heeded `json:"changes"`
	}{"coterie.appdata_heeded/v1", a.cfg.Node.Name, h.Name, shown, changes})
	if err != nil {
		return err
	}
	return h.Say(ctx, jobs.Run{Job: h.Name, Node: a.cfg.Node.Name, Due: time.Now()}, h.Name+"#"+strconv.FormatInt(last, 10), body, []string{
		"COTERIE_CHANGES=" + strconv.Itoa(len(changes)), "COTERIE_CHANGE=" + strconv.FormatInt(last, 10),
		"COTERIE_PATHS=" + strings.TrimSuffix(paths.String(), "\n"), "COTERIE_SHOWN=" + strconv.FormatBool(shown),
	})
}

// shows waits until the share, as this node sees it, has what the last changes of
// each path say. What has changed again is left to that change; what this node
// does not show in time, its client is late with.
func (a *agent) shows(ctx context.Context, changes []manifest.Heeded) bool {
	expect := map[string]appdata.Expected{}
	for _, c := range changes {
		delete(expect, c.Path)
		if c.From != nil {
			delete(expect, *c.From)
		}
		if c.Kind == "file" && c.Change != string(appdata.Deleted) && c.Digest != nil {
			expect[c.Path] = appdata.Expected{Path: c.Path, Size: c.Size, Digest: *c.Digest}
		}
	}
	store, last := manifest.Store{DB: a.work, Node: a.cfg.Node.Name}, changes[len(changes)-1].Seq
	for begun, wait := time.Now(), 10*time.Millisecond; len(expect) > 0; wait = min(2*wait, time.Second) {
		missing, err := a.share.Expect(ctx, appdata.Expect{Share: a.shareNow(), Files: slices.Collect(maps.Values(expect))})
		if err == nil && missing == 0 {
			return true
		}
		if time.Since(begun) > showFor || pause(ctx, wait) != nil {
			return false
		}
		again, err := store.ChangedAgain(ctx, slices.Collect(maps.Keys(expect)), last)
		if err != nil && ctx.Err() == nil {
			a.log.Debug("not known what changed again", "err", err)
		}
		for _, path := range again {
			delete(expect, path)
		}
	}
	return true
}
