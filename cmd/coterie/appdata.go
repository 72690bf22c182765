package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/lib/pq"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) appdataCommand() *cobra.Command {
	return c.family("appdata", "The shared folder: is it there, what is in it, what changed", `  coterie appdata check
  coterie appdata scan
  coterie appdata diff
  coterie appdata compare /srv/dev /srv/primary /srv/secondary
  coterie appdata changes --since 1h
  coterie appdata watch`,
		c.appdataCheck(), c.appdataScan(), c.appdataDiff(), c.appdataFiles(), c.appdataChanges(), c.appdataWatch(), c.appdataAccept(),
		c.appdataDrifts(), c.appdataReference(), c.appdataCompare(), c.appdataSettings(), c.appdataLoads(), c.appdataDatabase(), c.appdataUpgrade(), c.appdataSetup(), c.appdataRecipe())
}

// scanFlags say how a tree is scanned.
type scanFlags struct {
	reread  bool
	names   int
	mib     int
	workers int
	trust   bool
}

func (f *scanFlags) add(to *pflag.FlagSet) {
	to.BoolVar(&f.reread, "reread", false, "read the content also of files that look as they did: finds what changed without a trace")
	to.IntVar(&f.names, "names", 0, "look at `NUMBER` names a second at most")
	to.IntVar(&f.mib, "mib", 0, "read `NUMBER` MiB a second at most")
	to.IntVar(&f.workers, "workers", 8, "look at `NUMBER` folders at once")
	to.BoolVar(&f.trust, "trust-cache", false, "believe what a network client remembers: quicker, and up to a minute late")
}

func (f *scanFlags) check() error {
	if f.names < 0 || f.mib < 0 || f.workers < 1 || f.workers > 256 {
		return usageProblem("--names and --mib are not negative, --workers is 1 to 256")
	}
	return nil
}

// survey is a scan of the share of this node's configuration.
func (k *cluster) survey(ctx context.Context, f scanFlags, progress *appdata.Progress) (manifest.Survey, error) {
	layout, err := appdata.LayoutOf(k.cfg.AppData.Layout)
	if err != nil {
		return manifest.Survey{}, err
	}
	var id string
	if err := k.db.GetContext(ctx, &id, `SELECT id FROM coterie.clusters`); err != nil {
		return manifest.Survey{}, err
	}
	share := appdata.Share{Path: k.cfg.AppData.Path, Cluster: k.cfg.Cluster, ID: id, Node: k.cfg.Node.Name}
	mount, err := appdata.MountAt(share.Path)
	if err != nil {
		return manifest.Survey{}, err
	}
	return manifest.Survey{
		Store: manifest.Store{DB: k.db, Node: k.cfg.Node.Name}, Tree: manifest.Share, Layout: layout,
		Scanner: appdata.Scanner{
			Root: share.Path, Check: k.present(ctx, share), Progress: progress, Reread: f.reread, Workers: f.workers, TrustCache: f.trust,
			OpsPerSecond: f.names, BytesPerSec: int64(f.mib) << 20, LooseInodes: strings.HasPrefix(mount.FSType, "fuse"),
		},
		Clock: share.Clock,
	}, nil
}

// notOursSQL says what this node's agent thinks of the share, if it has another before
// it: only who has looked at it for a while can tell an older copy from it.
const notOursSQL = `
SELECT s.state || coalesce(': ' || nullif(s.reason, ''), '') FROM coterie.storages s JOIN coterie.nodes n ON n.name = s.node
WHERE s.node = $1 AND n.expires_in > '0' AND s.state IN ('WRONG_SHARE', 'NOT_MOUNTED', 'STALE', 'OLD_GENERATION')`

// present is for a scan: whether the share is there, the same as before, and the one
// that this node's agent has before it.
func (k *cluster) present(ctx context.Context, share appdata.Share) func() error {
	place := ""
	return func() error {
		if err := share.Present(); err != nil {
			return err
		}
		now, err := share.Touch(ctx)
		if err != nil {
			return err
		}
		if place != "" && now != place {
			return fmt.Errorf("mounted meanwhile: %w", appdata.ErrOtherShare)
		}
		place = now
		var said []string
		if err := k.db.SelectContext(ctx, &said, notOursSQL, k.cfg.Node.Name); err != nil {
			return err
		}
		if len(said) > 0 {
			return fmt.Errorf("%w, says the agent of %s: %s", appdata.ErrOtherShare, k.cfg.Node.Name, said[0])
		}
		return nil
	}
}

// stillFor is how long a share may say nothing before it counts as hanging; at
// first longer, because the manifest is read before.
const (
	stillFor    = 30 * time.Second
	stillBefore = 2 * time.Minute
	stillTold   = 5 * time.Second // when somebody wants this to end
)

var errStill = errors.New("the share does not answer")

// patiently calls what may hang with the share, and leaves it behind when the
// share has said nothing for long: this process ends then.
func patiently[T any](ctx context.Context, p *appdata.Progress, every func(), call func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	inside, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answered := make(chan answer, 1)
	go func() { // waited for, unless it hangs in the kernel
		value, err := call(inside)
		answered <- answer{value, err}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var last int64
	moved := time.Now()
	for {
		select {
		case a := <-answered:
			return a.value, a.err
		case <-tick.C:
		}
		every()
		if now := p.Folders.Load() + p.Entries.Load() + p.Again.Load() + p.Read.Load(); now != last || p.Apart.Load() > 0 {
			last, moved = now, time.Now()
		}
		limit := stillFor
		if last == 0 {
			limit = stillBefore
		}
		if ctx.Err() != nil {
			limit = stillTold
		}
		if time.Since(moved) > limit {
			var none T
			return none, errStill
		}
	}
}

// appdataProblem gives what scanning may meet its code.
func appdataProblem(path string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*appdata.ForeignError](err); ok {
		return foreign(e)
	}
	switch {
	case errors.Is(err, manifest.ErrSuperseded):
		return problem.New("COT-311", nil, "%v", err)
	case errors.Is(err, errStill):
		return problem.New("COT-302", nil, "%s: nothing was heard of it for %v", path, stillFor)
	case errors.Is(err, appdata.ErrOtherShare):
		return problem.New("COT-304", nil, "%s: %v", path, err)
	case errors.Is(err, appdata.ErrNoMarker):
		return problem.New("COT-301", nil, "%s carries no cluster's marker", path)
	}
	var state appdata.State
	if _, ok := errors.AsType[*pq.Error](err); !ok {
		state = appdata.StateOf(err)
	}
	codes := map[appdata.State]string{
		appdata.NotMounted: "COT-301", appdata.Hung: "COT-302", appdata.ReadOnly: "COT-303", appdata.Full: "COT-305", appdata.Stale: "COT-306",
	}
	if code := codes[state]; code != "" {
		return problem.New(code, err, "%s", path)
	}
	return err
}

// folderProblem is that of a folder which somebody has named, and which need be no mount:
// where there is none, the name is wrong.
func folderProblem(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return problem.New("COT-214", nil, "%s: no such folder", path)
	}
	return appdataProblem(path, err)
}

func (c *cli) appdataAccept() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "accept",
		Short: "Believe that the files which a scan missed are really gone",
		Long: `A scan that misses many files at once removes none of them from the manifest:
a share that is mounted wrongly looks as if all had been deleted. Say with this
command that they are really gone. The next scan may then miss as many as the
last one did, and no more.`,
		Example: `  coterie appdata accept -n
  coterie appdata accept -y -m "old releases were purged"`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.acceptMissing(ctx, k, reason)
		},
	}
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *cli) acceptMissing(ctx context.Context, k *cluster, reason string) error {
	rows, err := k.rows(ctx, "appdata_trees", "WHERE v.name = 'share'")
	if err != nil {
		return err
	}
	var files int64
	var sample []string
	if rows.Len() > 0 {
		files = rows.Row(0).Int("held_files")
		sample = strings.Fields(strings.Trim(rows.Row(0).Text("held_sample"), "{}[]"))
	}
	if files == 0 {
		return c.document(table.Document{{Name: "schema", Value: "coterie.appdata_accepted/v1"}, {Name: "files", Value: 0}}, "No files are missing; nothing to do.\n")
	}
	if done, err := c.agree("Would believe that "+plural(files, "file")+" are gone, among them:", sample, "Go on?"); done || err != nil {
		return err
	}
	if err := k.command(ctx, &files, `SELECT coterie.appdata_accept('share', $1, $2)`, caller(), reason); err != nil {
		return err
	}
	return c.document(table.Document{{Name: "schema", Value: "coterie.appdata_accepted/v1"}, {Name: "files", Value: files}},
		"The next scan may miss "+plural(files, "file")+".\n")
}
