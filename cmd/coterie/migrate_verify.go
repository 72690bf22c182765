package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) migrateVerify() *cobra.Command {
	noWait := false
	cmd := &cobra.Command{
		Use:   "verify PLAN|SHARE",
		Short: "Read from the share all that was moved there",
		Long: `Reads each file that was moved to the share through this host's own mount,
compares its content with what was proved when it was moved, and says which
items of the layout are there. It leaves its word on the share: the originals
may be deleted when another host than that of the server has said so.

On the host of the server name the plan, on others the share. With a plan, and
agents on other nodes, one of them reads all of it as well, by itself; this
waits for it, and tells how far it is. Ctrl-C stops only the waiting. How the
server is set is told anew, for those that join.`,
		Example: `  coterie migrate verify plan-20261122-k3x9ab.json
  coterie migrate verify plan-20261122-k3x9ab.json --timeout 10m
  coterie migrate verify /media/share/appdata          where no agent runs yet`,
		Args: one("PLAN or SHARE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			p, proved, err := planNamed(args[0])
			if err != nil {
				return migrateProblem(migrate.Plan{}, err)
			}
			return c.verifyMigration(ctx, cmd, p, proved, !noWait)
		},
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for another node's agent")
	return cmd
}

// planNamed is the plan of a file, with the digest of what was proved; or the one that
// filled a share.
func planNamed(name string) (p migrate.Plan, proved string, err error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		share, err := folderNamed(name)
		if err != nil {
			return migrate.Plan{}, "", err
		}
		p, err = migrate.PlanOn(share)
		return p, "", err
	}
	p, j, err := migrate.Status(name)
	if err != nil {
		return p, "", err
	}
	if err := migrate.Retell(p, j); err != nil {
		return p, "", err
	}
	return p, j.Fact(migrate.Prove, "manifest"), nil
}

const migrationReadSQL = `SELECT coterie.migration_read($1, $2, $3, $4, $5)`

func (c *cli) verifyMigration(ctx context.Context, cmd *cobra.Command, p migrate.Plan, proved string, wait bool) error {
	tell := c.teller(ctx, cmd, p, "")
	defer tell.close()
	asked := proved != "" && p.Machine == migrate.Machine() && !p.Join && tell.ask(ctx, proved)
	progress := new(migrate.Progress)
	var seen migrate.Reading
	err := c.watchMigration(ctx, progress, &teller{c: c}, func() error {
		var err error
		seen, err = migrate.ReadBack(ctx, p, progress)
		return err
	})
	if errors.Is(err, migrate.ErrNotProved) {
		return migrateProblem(p, err)
	}
	if err != nil {
		return err
	}
	if tell.k != nil {
		inside, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		var known bool
		if err := tell.k.command(inside, &known, migrationReadSQL, p.ID, seen.Host, seen.OK(), strings.Join(seen.Sample, "; "), caller()); err != nil {
			c.say("The database is not told: %v", asProblem(err))
		}
	}
	var word readWord
	if asked && wait && seen.OK() {
		word, err = c.awaitReader(ctx, tell, p)
	}
	if err := c.document(append(readingDocument(seen, p), word.document()...), readingText(seen, p)+word.text()); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	if !seen.OK() {
		return problem.New("COT-408", nil, "%s are not as they were proved: %s", plural(seen.Bad, "file"), strings.Join(seen.Sample, "; "))
	}
	return nil
}

func readingDocument(r migrate.Reading, p migrate.Plan) table.Document {
	items := []table.Document{}
	for _, one := range p.OnShare() {
		items = append(items, table.Document{{Name: "path", Value: one.Path}, {Name: "present", Value: one.Present}})
	}
	return table.Document{
		{Name: "schema", Value: r.Schema}, {Name: "plan", Value: r.Plan}, {Name: "manifest", Value: r.Manifest}, {Name: "host", Value: r.Host},
		{Name: "files", Value: r.Files}, {Name: "bytes", Value: r.Bytes}, {Name: "same", Value: r.Same}, {Name: "changed", Value: r.Changed},
		{Name: "missing", Value: r.Missing}, {Name: "bad", Value: r.Bad}, {Name: "sample", Value: r.Sample}, {Name: "items", Value: items},
	}
}

func readingText(r migrate.Reading, p migrate.Plan) string {
	var b strings.Builder
	for _, one := range p.OnShare() {
		sign, more := signWell, ""
		switch {
		case !one.Present && one.Files+one.Folders > 0:
			sign, more = signBad, "  was moved, and is not there"
		case !one.Present:
			sign, more = "-", "  does not exist yet"
		}
		fmt.Fprintf(&b, "  %-3s %s%s\n", sign, one.Path, more)
	}
	fmt.Fprintf(&b, "%s, %s, read from %s: %d the same", plural(r.Files, "file"), size(r.Bytes), p.To, r.Same)
	for _, one := range []struct {
		n    int64
		text string
	}{{r.Changed, "written since"}, {r.Missing, "gone since"}, {r.Bad, "not as they were proved"}} {
		if one.n > 0 {
			fmt.Fprintf(&b, ", %d %s", one.n, one.text)
		}
	}
	b.WriteString("\n")
	for _, one := range r.Sample {
		b.WriteString("  " + one + "\n")
	}
	return b.String()
}
