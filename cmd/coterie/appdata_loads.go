package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// disabled ends the names of load files that a server passes over.
const disabled = ".disabled"

func (c *cli) appdataLoads() *cobra.Command {
	var v installation
	var loaded bool
	var forget, reason string
	cmd := &cobra.Command{
		Use:   "loads INSTALLATION",
		Short: "Have start-up load files executed by one server, once",
		Long: `A server executes its load files into the common database each time it starts.
In a cluster one server must, and once. Run this before the server starts, on
each node: who comes first takes a file, by its path and content, in the
database; on all others it gets the ending .disabled. When the server has
started, say --loaded: then it is switched off there too. On new servers what
is loaded is switched off. A server that is started again before --loaded was
said executes again what it took.

A file on the share is the same for all: there another server must not start
until it is loaded (COT-320). Without the database nothing is decided, and the
exit code is 6: do not start the server then.`,
		Example: `  coterie appdata loads /opt/appboard -y && /opt/appboard/server/bin/start
  coterie appdata loads /opt/appboard --loaded -y
  coterie appdata loads --forget server/load.txt -y -m "app-a is lost"`,
		Args: perhapsOne("INSTALLATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			if len(args) == 0 && forget == "" {
				return usageProblem("%s needs INSTALLATION, or --forget PATH", cmd.CommandPath())
			}
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			if forget != "" {
				return c.forgetLoad(ctx, k, forget, reason)
			}
			v.path = args[0]
			if err := v.find(); err != nil {
				return err
			}
			return c.settleLoads(ctx, k, v, loaded)
		},
	}
	f := cmd.Flags()
	f.StringVar(&v.profile, "profile", "", "`NAME` or file of the profile (default: found out)")
	f.BoolVar(&loaded, "loaded", false, "the server has started, and has executed what it took")
	f.StringVar(&forget, "forget", "", "have the file at `PATH` loaded again, or by another node")
	reasonFlag(cmd, &reason)
	return cmd
}

// load is a file that the server would execute, and whose it is.
type load struct {
	path, digest string
	shared       bool // it lies on the share, the same file for all servers
	Node         string
	State        string
}

// loads are the files that the server would execute.
func (v *installation) loads(share string) ([]load, error) {
	var all []load
	for _, pattern := range v.migrateProfile.Loads {
		found, err := filepath.Glob(filepath.Join(v.path, pattern))
		if err != nil {
			return nil, err
		}
		for _, at := range found {
			if info, err := os.Stat(at); err != nil || !info.Mode().IsRegular() || strings.HasSuffix(at, disabled) {
				continue
			}
			text, err := os.ReadFile(at)
			if err != nil {
				return nil, err
			}
			below, err := filepath.Rel(v.path, at)
			if err != nil {
				return nil, err
			}
			real, err := filepath.EvalSymlinks(at)
			if err != nil {
				return nil, err
			}
			sum := sha256.Sum256(text)
			all = append(all, load{path: below, digest: hex.EncodeToString(sum[:]), shared: strings.HasPrefix(real, share+string(filepath.Separator))})
		}
	}
	return all, nil
}

const (
	appLoadTakeSQL   = `SELECT coterie.app_load_take($1, $2, $3, $4)`
	appLoadEndedSQL  = `SELECT coterie.app_load_ended($1, $2, $3, $4)`
	appLoadForgetSQL = `SELECT coterie.app_load_forget($1, $2, $3)`
	appLoadKnownSQL  = `SELECT node, state FROM coterie.app_loads WHERE path = $1 AND digest = $2`
)

// settleLoads leaves to this server what is its to load, and switches off the rest.
func (c *cli) settleLoads(ctx context.Context, k *cluster, v installation, loaded bool) error {
	share, err := filepath.EvalSymlinks(k.cfg.AppData.Path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	all, err := v.loads(share)
	if err != nil {
		return err
	}
	var steps []string
	for i := range all {
		if err := c.knownLoad(ctx, k, &all[i]); err != nil {
			return err
		}
		steps = append(steps, all[i].would(k.cfg.Node.Name, loaded))
	}
	if len(all) > 0 {
		if done, err := c.agree("Would settle who loads:", steps, "Go on?"); done || err != nil {
			return err
		}
	}
	var waits []string
	docs := []table.Document{}
	var text strings.Builder
	for i := range all {
		what, err := c.settleLoad(ctx, k, v, &all[i], loaded)
		if err != nil {
			return err
		}
		if what == "wait" {
			waits = append(waits, appdata.Quote(all[i].path)+" by "+all[i].Node)
		}
		fmt.Fprintf(&text, "  %-11s %s  (%s)\n", what, appdata.Quote(all[i].path), all[i].Node)
		docs = append(docs, table.Document{{Name: "path", Value: all[i].path}, {Name: "node", Value: all[i].Node}, {Name: "did", Value: what}})
	}
	if len(all) == 0 {
		text.WriteString("The server would execute no load file.\n")
	}
	if err := c.document(table.Document{{Name: "schema", Value: "coterie.app_loads/v1"}, {Name: "files", Value: docs}}, text.String()); err != nil {
		return err
	}
	if len(waits) > 0 {
		return problem.New("COT-320", nil, "taken, and not loaded yet: %s", strings.Join(waits, "; "))
	}
	return nil
}

// knownLoad asks whose a file is, and changes nothing.
func (c *cli) knownLoad(ctx context.Context, k *cluster, one *load) error {
	var known []struct{ Node, State string }
	if err := k.db.SelectContext(ctx, &known, appLoadKnownSQL, appdata.Quote(one.path), one.digest); err != nil {
		return err
	}
	if len(known) > 0 {
		one.Node, one.State = known[0].Node, known[0].State
	}
	return nil
}

func (l *load) would(node string, loaded bool) string {
	switch path := appdata.Quote(l.path); {
	case l.Node == "" && loaded:
		return path + ": was taken by nobody; left as it is"
	case l.Node == "":
		return path + ": take it; this server executes it"
	case l.State == "taken" && l.Node == node && !loaded:
		return path + ": this server executes it"
	case l.State == "taken" && l.Node == node:
		return path + ": say that it is loaded, and switch it off"
	case l.State == "taken" && l.shared:
		return path + ": wait for " + l.Node
	default:
		return path + ": switch it off; it is loaded by " + l.Node
	}
}

// settleLoad does it for one file, and says what it did.
func (c *cli) settleLoad(ctx context.Context, k *cluster, v installation, one *load, loaded bool) (string, error) {
	node, path := k.cfg.Node.Name, appdata.Quote(one.path)
	if loaded && one.Node == "" {
		return "left", nil
	}
	if !loaded {
		var said []byte
		if err := k.command(ctx, &said, appLoadTakeSQL, node, path, one.digest, caller()); err != nil {
			return "", err
		}
		if err := json.Unmarshal(said, one); err != nil {
			return "", err
		}
		if one.Node == node && one.State == "taken" {
			return "execute", nil
		}
	} else if one.Node == node && one.State == "taken" {
		var ended bool
		if err := k.command(ctx, &ended, appLoadEndedSQL, node, path, one.digest, caller()); err != nil {
			return "", err
		}
		one.State = "loaded"
	}
	if one.State == "taken" && one.shared {
		return "wait", nil
	}
	at := filepath.Join(v.path, one.path)
	if err := os.Rename(at, freeName(at, disabled)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return "disabled", nil
}

// freeName is a name with that ending that nothing has yet.
func freeName(at, ending string) string {
	name := at + ending
	for n := 2; ; n++ {
		if _, err := os.Lstat(name); err != nil {
			return name
		}
		name = fmt.Sprintf("%s.%d%s", at, n, ending)
	}
}

func (c *cli) forgetLoad(ctx context.Context, k *cluster, path, reason string) error {
	var known []string
	if err := k.db.SelectContext(ctx, &known, `SELECT DISTINCT path FROM coterie.app_loads ORDER BY path`); err != nil {
		return err
	}
	if !slices.Contains(known, path) {
		return nearest("COT-313", "no load file", path, known)
	}
	if done, err := c.agree("Would have loaded again, by whichever server starts first:", []string{path, "where it has the ending " + disabled + ", take that away"}, "Go on?"); done || err != nil {
		return err
	}
	var forgotten int64
	if err := k.command(ctx, &forgotten, appLoadForgetSQL, path, caller(), reason); err != nil {
		return err
	}
	return c.document(table.Document{{Name: "schema", Value: "coterie.app_load_forgotten/v1"}, {Name: "path", Value: path}}, path+" is taken by nobody now.\n")
}
