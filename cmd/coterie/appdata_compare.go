package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/bundle"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// comparing is what coterie appdata compare was asked for.
type comparing struct {
	profile profileFlags
	scan    scanFlags
	tiers   []string
	modes   bool
	all     bool
}

func (c *cli) appdataCompare() *cobra.Command {
	var v comparing
	cmd := &cobra.Command{
		Use:   "compare [NAME=]A [NAME=]B [[NAME=]C]",
		Short: "Compare two or three trees wholly, file by file",
		Long: `Compares two or three folders, such as those of the development server, the
primary and the secondary, by the digests of all files. A tree can also be one
that the database knows: share, or node/app-a (its files of equal.paths, as of
its last look). The names stand above the columns; the same letter in a row
means the same content, - that there is none, ? that it cannot be told.

Classes are those of the profile: fields that may differ from host to host are
left out, what is one host's own is told with --all only, and what is one tier's
own may differ between the tiers that --tiers names. A file that differs and is
in no bundle, because the profile does not mention it, is told with the GLOB
that would add it.

The exit code is 0 when the trees are equal, and 3 when they are not.`,
		Example: `  coterie appdata compare /srv/dev /srv/primary /srv/secondary
  coterie appdata compare dev=/mnt/dev primary=/opt/appboard --profile appboard
  coterie appdata compare d=/a p=/b s=/c --profile p.yaml --tiers dev,prod,prod
  coterie appdata compare node/app-a node/app-b -o json`,
		Args: func(cmd *cobra.Command, args []string) error {
			return words(cmd, args, 2, 3, "A and B, or three trees")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := v.scan.check(); err != nil {
				return err
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			columns, err := compareColumns(args, v.tiers)
			if err != nil {
				return err
			}
			profile, err := v.profile.read("generic")
			if err != nil {
				return err
			}
			x := bundle.Comparison{Profile: profile, Modes: v.modes}
			if err := c.fillColumns(ctx, cmd, &x, columns, v.scan); err != nil {
				return err
			}
			return c.compared(x, v.all)
		},
	}
	v.profile.add(cmd.Flags(), "generic")
	v.scan.add(cmd.Flags())
	cmd.Flags().StringSliceVar(&v.tiers, "tiers", nil, "the tier of each tree, such as `dev,prod,prod`")
	cmd.Flags().BoolVar(&v.modes, "modes", false, "permissions must be the same too")
	cmd.Flags().BoolVar(&v.all, "all", false, "tell also what may differ, because it is a host's or a tier's own")
	return cmd
}

// compareColumn is a tree as it was named.
type compareColumn struct{ name, place, tier string }

func compareColumns(args, tiers []string) ([]compareColumn, error) {
	if len(tiers) > 0 && len(tiers) != len(args) {
		return nil, usageProblem("--tiers names %s, and there are %d", plural(int64(len(tiers)), "tier"), len(args)).hint("", "one for each tree: --tiers dev,prod,prod")
	}
	var columns []compareColumn
	for i, arg := range args {
		name, place, named := strings.Cut(arg, "=")
		if !named || isFolder(name) {
			place = arg
			name = strings.ToLower(filepath.Base(place))
			if slices.ContainsFunc(columns, func(c compareColumn) bool { return c.name == name }) || !columnName(name) {
				name = string(rune('a' + i))
			}
		}
		if !columnName(name) || slices.ContainsFunc(columns, func(c compareColumn) bool { return c.name == name }) {
			return nil, usageProblem("%q names no column", arg).hint("", "NAME=FOLDER; a-z 0-9 . _ -, and each name once")
		}
		if !isFolder(place) && !isTree(place) {
			return nil, usageProblem("%q is neither a folder nor a tree that the database knows", place).hint("", "/a or ./b, share, or node/app-a")
		}
		column := compareColumn{name: name, place: place}
		if len(tiers) > 0 {
			column.tier = tiers[i]
		}
		columns = append(columns, column)
	}
	return columns, nil
}

func columnName(name string) bool {
	return name != "" && len(name) <= 20 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// fillColumns looks at all the folders at once, and loads what the database knows.
func (c *cli) fillColumns(ctx context.Context, cmd *cobra.Command, x *bundle.Comparison, columns []compareColumn, flags scanFlags) error {
	x.Columns = make([]bundle.Column, len(columns))
	progress := new(appdata.Progress)
	var k *cluster
	if slices.ContainsFunc(columns, func(at compareColumn) bool { return isTree(at.place) }) {
		var err error
		if k, err = c.open(ctx, cmd); err != nil {
			return err
		}
		defer k.db.Close()
	}
	_, err := patiently(ctx, progress, c.progress(progress), func(ctx context.Context) (struct{}, error) {
		if err := sift(ctx, x, columns, flags, progress); err != nil {
			return struct{}{}, err
		}
		loads, ctx := errgroup.WithContext(ctx)
		for i, at := range columns {
			x.Columns[i] = bundle.Column{Name: at.name, Tier: at.tier}
			loads.Go(func() (err error) {
				if isTree(at.place) {
					x.Columns[i].Dir, err = k.tree(ctx, at.place)
					return err
				}
				m, err := x.Scan(ctx, appdata.Scanner{
					Root: at.place, Progress: progress, Workers: max(1, flags.workers/len(columns)), OpsPerSecond: flags.names, BytesPerSec: int64(flags.mib) << 20, TrustCache: flags.trust,
				})
				x.Columns[i].Dir = m.Dir
				return folderProblem(at.place, err)
			})
		}
		return struct{}{}, loads.Wait()
	})
	return err
}

// sift finds what need not be scanned, since all have the same. Whoever asks for less haste
// goes without.
func sift(ctx context.Context, x *bundle.Comparison, columns []compareColumn, flags scanFlags, progress *appdata.Progress) (err error) {
	s := bundle.Sifting{Modes: x.Modes, Workers: max(1, flags.workers/len(columns)), Progress: progress}
	for _, at := range columns {
		if isTree(at.place) {
			return nil
		}
		s.Roots = append(s.Roots, at.place)
	}
	if flags.names > 0 || flags.mib > 0 {
		return nil
	}
	x.Sieve, err = x.Profile.Sift(ctx, s)
	return err
}

// tree is a tree that the database knows.
func (k *cluster) tree(ctx context.Context, name string) (func(string) *appdata.Dir, error) {
	var trees []string
	if err := k.db.SelectContext(ctx, &trees, `SELECT name FROM coterie.appdata_trees ORDER BY name`); err != nil {
		return nil, err
	}
	if err := knownTree(name, trees); err != nil {
		return nil, err
	}
	shelf, err := manifest.Store{DB: k.db, Node: k.cfg.Node.Name}.Load(ctx, name)
	if err != nil {
		return nil, err
	}
	return shelf.Dir, nil
}

// compared tells the rows, and what to do about files that are in no bundle.
func (c *cli) compared(x bundle.Comparison, all bool) error {
	found := x.Rows()
	rows := &table.Rows{View: "appdata_comparison", At: time.Now(), Columns: []string{"path", "class", "expected", "pattern"}}
	for _, column := range x.Columns {
		rows.Columns = append(rows.Columns, column.Name, column.Name+"_digest", column.Name+"_size", column.Name+"_error")
	}
	differ, patterns := 0, []string{}
	for _, row := range found {
		if !row.Expected {
			differ++
		} else if !all {
			continue
		}
		if row.Pattern != "" && !slices.Contains(patterns, row.Pattern) {
			patterns = append(patterns, row.Pattern)
		}
		rows.Values = append(rows.Values, comparedRow(row))
	}
	if c.plain() && rows.Len() == 0 {
		return c.print("Nothing differs.\n")
	}
	fields := []table.Field{table.Prose("PATH", "path"), table.Column("CLASS", "class")}
	for _, column := range x.Columns {
		fields = append(fields, table.Column(strings.ToUpper(column.Name), column.Name))
	}
	if err := c.show(rows, append(fields, table.Prose("IN A BUNDLE WITH", "pattern").AsWide())...); err != nil {
		return err
	}
	if c.plain() && len(patterns) > 0 {
		var text strings.Builder
		text.WriteString("\nIn no bundle, because the profile does not mention them. To take them in:\n")
		for _, pattern := range patterns {
			text.WriteString(fmt.Sprintf("  --include '%s'\n", table.Safe(strings.ReplaceAll(pattern, "'", `'\''`))))
		}
		if err := c.print(text.String()); err != nil {
			return err
		}
	}
	if differ == 0 {
		return nil
	}
	return outcome(problem.ExitDegraded)
}

// comparedRow is a row as programs read it. Of a secret only whether it differs is told.
func comparedRow(row bundle.Row) []any {
	values := []any{appdata.Quote(row.Path), string(row.Class), row.Expected, nil}
	if row.Pattern != "" {
		values[3] = row.Pattern
	}
	for _, cell := range row.Cells {
		var digest, size, trouble any
		if e := cell.Entry; e != nil {
			if row.Class != appdata.Secret && e.Kind == appdata.File {
				digest, size = e.Digest.String(), e.Size
			}
			if e.Err != "" {
				trouble = e.Err
			}
		}
		values = append(values, string(rune(cell.Letter)), digest, size, trouble)
	}
	return values
}
