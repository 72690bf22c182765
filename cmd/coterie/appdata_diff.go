package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) appdataDiff() *cobra.Command {
	var flags scanFlags
	var from string
	cmd := &cobra.Command{
		Use:   "diff [NODE [PATH] | A B]",
		Short: "Show what differs between manifest, nodes or trees",
		Long: `Without words: what differs between the share as it is now and its manifest; it
is looked at, and nothing is stored. With two words: what differs between two
folders (/a ./b), or between two manifests (share, node/app-a).

With the name of a node: which of its own files are not as they should be, of
those that must be equal on all nodes (equal.paths of the configuration), or
those at and below one path; of small texts also the lines. Fields that may
differ are shown as ***. Files of the class secret, and lines that look like
secrets, are never shown.

With --take-from the node takes the files that differ, or those at and below the
paths, from another node. Its own agent does it: what is replaced is kept in its
state directory, fields that may differ keep the node's own values, and the copy
is read again before it is put in place. Files that the other has not are left.

The exit code is 0 when nothing differs, and 10 when something does.`,
		Example: `  coterie appdata diff
  coterie appdata diff app-b
  coterie appdata diff app-b conf/server.xml
  coterie appdata diff app-b --take-from app-a -n
  coterie appdata diff app-b --take-from app-a -y patches conf/server.xml
  coterie appdata diff share node/app-b
  coterie appdata diff /opt/deploy/appdata /media/share/appdata`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && (isFolder(args[0]) || isTree(args[0])) {
				return usageProblem("%s takes two trees, a node, or nothing", cmd.CommandPath()).hint("", "See: "+cmd.CommandPath()+" --help")
			}
			if from != "" {
				return words(cmd, args, 1, 1000, "NODE [PATH...]")
			}
			return words(cmd, args, 0, 2, "A B")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			if len(args) == 2 && isFolder(args[0]) && isFolder(args[1]) {
				return c.compareFolders(ctx, args[0], args[1], flags)
			}
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			if from != "" {
				return c.takeFrom(ctx, k, args[0], from, args[1:])
			}
			if len(args) > 0 && !isTree(args[0]) {
				return c.differsOn(ctx, k, args[0], strings.Join(args[1:], ""))
			}
			if len(args) == 2 {
				return c.compareTrees(ctx, k, args[0], args[1])
			}
			return c.showDifference(ctx, k, flags)
		},
	}
	flags.add(cmd.Flags())
	cmd.Flags().StringVar(&from, "take-from", "", "have the node take the files that differ from `NODE`")
	return cmd
}

// isFolder tells a folder from the name of a tree.
func isFolder(word string) bool { return strings.HasPrefix(word, "/") || strings.HasPrefix(word, ".") }

// isTree tells the name of a tree from that of a node.
func isTree(word string) bool {
	return word == manifest.Share || strings.HasPrefix(word, manifest.Own(""))
}

// differs is the exit code for those who ask whether something differs.
func (c *cli) differs(rows *table.Rows) error {
	if c.plain() && rows.Len() == 0 {
		return c.print("Nothing differs.\n")
	}
	err := c.show(rows,
		table.Column("CHANGE", "change"),
		table.Prose("PATH", "path"),
		table.Column("CLASS", "class"),
		table.Number("BEFORE", "size_before"),
		table.Number("AFTER", "size_after"),
		table.Column("KIND", "kind").AsWide(),
		table.Prose("FROM", "from_path").AsWide())
	if err != nil || rows.Len() == 0 {
		return err
	}
	return outcome(problem.ExitChanges)
}

func differences(changes []appdata.Change, class func(string) appdata.Class) *table.Rows {
	rows := &table.Rows{View: "appdata_differences", At: time.Now(), Columns: []string{"path", "change", "kind", "class", "size_before", "size_after", "from_path"}}
	for _, ch := range changes {
		var kind string
		var before, after, from any
		if ch.Before != nil {
			kind, before = ch.Before.Kind.String(), ch.Before.Size
		}
		if ch.After != nil {
			kind, after = ch.After.Kind.String(), ch.After.Size
		}
		if ch.From != "" {
			from = appdata.Quote(ch.From)
		}
		rows.Values = append(rows.Values, []any{appdata.Quote(ch.Path), string(ch.Change), kind, string(class(ch.Path)), before, after, from})
	}
	return rows
}

// showDifference looks at the share, and stores nothing.
func (c *cli) showDifference(ctx context.Context, k *cluster, flags scanFlags) error {
	progress := new(appdata.Progress)
	var s manifest.Survey
	changes, err := patiently(ctx, progress, c.progress(progress), func(ctx context.Context) (_ []appdata.Change, err error) {
		if s, err = k.survey(ctx, flags, progress); err != nil {
			return nil, err
		}
		return s.Difference(ctx)
	})
	if err != nil {
		return appdataProblem(k.cfg.AppData.Path, err)
	}
	return c.differs(differences(changes, s.Layout.Class))
}

func (c *cli) compareFolders(ctx context.Context, a, b string, flags scanFlags) error {
	progress := new(appdata.Progress)
	layout, err := appdata.LayoutOf("generic")
	if err != nil {
		return err
	}
	both, err := patiently(ctx, progress, c.progress(progress), func(ctx context.Context) (found [2]*appdata.Manifest, err error) {
		for i, root := range []string{a, b} {
			found[i], err = appdata.Scanner{
				Root: root, Progress: progress, Skip: layout.Skips, Workers: flags.workers, OpsPerSecond: flags.names, BytesPerSec: int64(flags.mib) << 20, TrustCache: flags.trust,
			}.Scan(ctx)
			if err != nil {
				return found, appdataProblem(root, err)
			}
		}
		return found, nil
	})
	if err != nil {
		return appdataProblem(a, err)
	}
	var changes []appdata.Change
	for ch := range appdata.Compare(both[0], both[1]) {
		changes = append(changes, ch)
	}
	return c.differs(differences(changes, layout.Class))
}

// diffView has the answer of a function read as if it were a view.
const diffSQL = `SELECT path, change, kind, class, size_before, size_after, digest_before, digest_after FROM coterie.appdata_diff($1, $2)`

func (c *cli) compareTrees(ctx context.Context, k *cluster, a, b string) error {
	var trees []string
	if err := k.db.SelectContext(ctx, &trees, `SELECT name FROM coterie.appdata_trees ORDER BY name`); err != nil {
		return err
	}
	for _, name := range []string{a, b} {
		if err := knownTree(name, trees); err != nil {
			return err
		}
	}
	found, err := k.db.QueryxContext(ctx, diffSQL, a, b)
	if err != nil {
		return err
	}
	defer found.Close()
	rows := &table.Rows{View: "appdata_differences", At: time.Now(), Columns: []string{"path", "change", "kind", "class", "size_before", "size_after", "digest_before", "digest_after"}}
	for found.Next() {
		values, err := found.SliceScan()
		if err != nil {
			return err
		}
		for i, v := range values {
			if text, ok := v.([]byte); ok {
				values[i] = string(text)
			}
		}
		rows.Values = append(rows.Values, values)
	}
	if err := found.Err(); err != nil {
		return err
	}
	return c.differs(rows)
}

func knownTree(name string, trees []string) error {
	if slices.Contains(trees, name) {
		return nil
	}
	p := problem.New("COT-313", nil, "no tree %q", name)
	if near := config.Nearest(name, trees); near != "" {
		p.What += `; did you mean "` + near + `"?`
	}
	return p
}
