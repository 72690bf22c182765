package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// off ends the names of patches that a server passes over.
const off = ".off"

func (c *cli) appdataUpgrade() *cobra.Command {
	var v installation
	patches := false
	fresh := 24 * time.Hour
	cmd := &cobra.Command{
		Use:   "upgrade INSTALLATION",
		Short: "Say whether all servers may be upgraded now",
		Long: `Servers of one application are upgraded together, since those of the old version
must not work on what the new one has made of the database. This looks for what
speaks against it: the server here is not stopped (its pid file, its ports, open
files), others are connected to the database, jobs run or may be begun, the last
backup is too old, or patches of the old version would be loaded by the new one.
Run it on each node; it changes nothing, and its exit code is 5 when something
is left (COT-322). With --patches-off patches get the ending .off, by which
servers pass them over.`,
		Example: `  coterie pause --jobs -y -m upgrade
  coterie appdata upgrade /opt/ibm-ucd/server
  coterie appdata upgrade /opt/ibm-ucd/server --patches-off -y`,
		Args: one("INSTALLATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			v.path = args[0]
			if err := v.find(); err != nil {
				return err
			}
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.mayUpgrade(ctx, k, v, fresh, patches)
		},
	}
	f := cmd.Flags()
	f.StringVar(&v.profile, "profile", "", "`NAME` or file of the profile (default: found out)")
	f.BoolVar(&patches, "patches-off", false, "give patches the ending .off")
	f.DurationVar(&fresh, "backup-within", fresh, "how old the last backup may be")
	return cmd
}

// upgradeSQL is what speaks against an upgrade as far as the database knows: a row each.
// Others' connections are told of by their database, user and program, which everybody may
// see; those of this cluster's own agents and commands are expected.
const upgradeSQL = `
SELECT 'connected' AS what, format('%s connected to database %s as %s%s', CASE count(*) WHEN 1 THEN 'one client is' ELSE count(*) || ' clients are' END, a.datname, a.usename,
       CASE WHEN coalesce(a.application_name, '') <> '' THEN ', program ' || a.application_name ELSE '' END) AS text
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usename IS NOT NULL AND coalesce(a.application_name, '') NOT LIKE 'coterie%'
GROUP BY a.datname, a.usename, a.application_name
UNION ALL
SELECT 'runs', format('job %s runs on %s', r.job, r.node) FROM coterie.runs r WHERE r.outcome = 'running'
UNION ALL
SELECT 'jobs', format('jobs that are enabled would be begun (%s of them): coterie pause --jobs', count(*)) FROM coterie.jobs j
WHERE j.enabled AND j.action <> 'coterie.backup' AND NOT coterie.job_paused(j.name) HAVING count(*) > 0
UNION ALL
SELECT 'backup', coalesce('the last backup succeeded at ' || to_char(max(r.finished_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC', 'no backup is known')
FROM coterie.runs r JOIN coterie.jobs j ON j.name = r.job AND j.action = 'coterie.backup' WHERE r.outcome = 'succeeded'
HAVING coalesce(max(r.finished_at), '-infinity') < coterie.clock() - $1::float8 * interval '1 second'`

func (c *cli) mayUpgrade(ctx context.Context, k *cluster, v installation, fresh time.Duration, patches bool) error {
	named, err := profileNamed(v.profile)
	if err != nil {
		return err
	}
	signs, from, err := migrate.Stopped(ctx, v.path, named)
	if err != nil {
		return migrateProblem(migrate.Plan{}, err)
	}
	live, err := livePatches(from, v.migrateProfile.Patches)
	if err != nil {
		return err
	}
	if patches && len(live) > 0 {
		if done, err := c.agree("Would give the ending "+off+" to:", live, "Go on?"); done || err != nil {
			return err
		}
		for _, name := range live {
			if err := os.Rename(filepath.Join(from, name), freeName(filepath.Join(from, name), off)); err != nil {
				return err
			}
		}
		live = nil
	}
	var against []struct{ What, Text string }
	if err := k.db.SelectContext(ctx, &against, upgradeSQL, fresh.Seconds()); err != nil {
		return fmt.Errorf("look for what speaks against an upgrade: %w", err)
	}
	var left []string
	for _, o := range signs {
		if o.Word != "unseen-processes" {
			left = append(left, objection(migrate.Objection{Text: o.Text, Sample: o.Sample, Firm: true}))
		}
	}
	for _, one := range against {
		left = append(left, table.Safe(one.Text))
	}
	for _, name := range live {
		left = append(left, appdata.Quote(name)+" would be loaded by the new version: --patches-off")
	}
	text := ""
	if len(left) == 0 {
		text = "Nothing speaks against an upgrade, as far as this node can see: ask on each.\n"
	}
	if err := c.document(table.Document{{Name: "schema", Value: "coterie.app_upgrade/v1"}, {Name: "ok", Value: len(left) == 0}, {Name: "against", Value: left}}, text); err != nil {
		return err
	}
	if len(left) > 0 {
		return problem.New("COT-322", nil, "%s:\n  %s", plural(int64(len(left)), "cause")+" left", strings.Join(left, "\n  "))
	}
	return nil
}

// livePatches are the files of a folder of patches that a server would load.
func livePatches(from, folder string) ([]string, error) {
	if folder == "" {
		return nil, nil
	}
	all, err := os.ReadDir(filepath.Join(from, folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var live []string
	for _, e := range all {
		if !e.IsDir() && !strings.HasSuffix(e.Name(), off) {
			live = append(live, filepath.Join(folder, e.Name()))
		}
	}
	return live, err
}
