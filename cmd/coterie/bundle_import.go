package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/bundle"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// unpacking is what coterie bundle import was asked for.
type unpacking struct {
	profile                    profileFlags
	into, policy, most, reason string
	tier, fromTier             string
	version, fromVersion       string
	digest                     string
	trust                      []string
	unsigned, lines, undo      bool
}

func (c *cli) bundleImport() *cobra.Command {
	var v unpacking
	cmd := &cobra.Command{
		Use:   "import FILE --into ROOT --tier TIER",
		Short: "Bring the files of a bundle into an installation",
		Long: `Reads all of the bundle, says in what ROOT differs, and makes it as the bundle
says: each file is the old or the new one at any time. What is replaced is
kept, and --undo takes the last import back. An import that was killed is gone
on with by the same command, or by --undo.

  --policy full      add, replace and delete, within what the profile includes
  --policy partial   only add what is not there
  --policy none      change nothing, and find whether ROOT is as the bundle says

Fields that may differ, as ports in server.xml, keep this host's values. What
is one host's own or secret is never touched, and what is one tier's own is
never overwritten; --profile can withhold more. The application should not run.

The exit code is 8 when somebody changed files meanwhile, which are left alone,
and 3 when --policy none finds a difference.`,
		Example: `  coterie bundle import portal.bundle --into /opt/appboard --tier prod \
      --from-tier dev --trust dev.key.pub -n --lines
  coterie bundle import portal.bundle --into /opt/appboard --tier prod \
      --from-tier dev --trust dev.key.pub -y -m "release 12"
  coterie bundle import --undo --into /opt/appboard -y`,
		Args: func(cmd *cobra.Command, args []string) error {
			if v.undo {
				return nothing(cmd, args)
			}
			return words(cmd, args, 1, 1, "FILE")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			if v.into == "" || v.tier == "" && !v.undo {
				return usageProblem("coterie bundle import needs --into and --tier").hint("", "See: coterie bundle import --help")
			}
			if v.undo {
				return c.undoImport(v)
			}
			return c.importBundle(ctx, args[0], v)
		},
	}
	f := cmd.Flags()
	v.profile.add(f, "that of the bundle's name, or generic")
	f.StringVar(&v.into, "into", "", "`ROOT` of the installation")
	f.StringVar(&v.policy, "policy", string(bundle.Full), "how far it goes: `POLICY` full, partial or none")
	f.StringVar(&v.tier, "tier", "", "the environment that ROOT belongs to, such as `prod`")
	f.StringVar(&v.fromTier, "from-tier", "", "take a bundle of this `TIER` too")
	f.StringVar(&v.version, "product-version", "", "`VERSION` of the product in ROOT, where the profile names no file that says it")
	f.StringVar(&v.fromVersion, "from-version", "", "take a bundle of this `VERSION` of the product too")
	f.StringArrayVar(&v.trust, "trust", nil, "`FILE` of a public key that may have signed it; may be repeated")
	f.StringVar(&v.digest, "digest", "", digestFlag)
	f.BoolVar(&v.unsigned, "unsigned", false, "take it though nobody vouches for it")
	f.StringVar(&v.most, "most", "64GiB", "refuse a bundle whose files have more than `SIZE`")
	f.BoolVar(&v.lines, "lines", false, "show the lines in which small texts differ")
	f.BoolVar(&v.undo, "undo", false, "take the last import into ROOT back")
	reasonFlag(cmd, &v.reason)
	return cmd
}

// importing reads the words of the command line.
func (v unpacking) importing() (bundle.Import, int64, error) {
	policy := bundle.Policy(strings.ToLower(v.policy))
	if !slices.Contains(bundle.Policies(), policy) {
		return bundle.Import{}, 0, usageProblem("no policy %q", v.policy).hint(config.Nearest(v.policy, []string{"full", "partial", "none"}), "full, partial or none")
	}
	most, err := bytesOf(v.most)
	if err != nil {
		return bundle.Import{}, 0, err
	}
	keys, err := readTrusted(v.trust)
	return bundle.Import{
		Root: v.into, Policy: policy, Trust: keys, Unsigned: v.unsigned, Tier: v.tier, FromTier: v.fromTier, Version: v.version, FromVersion: v.fromVersion,
		Workers: 4, Progress: new(appdata.Progress),
	}, most, err
}

func (c *cli) importBundle(ctx context.Context, name string, v unpacking) error {
	im, most, err := v.importing()
	if err != nil {
		return err
	}
	unfinished, err := im.Unfinished()
	if err != nil {
		return err
	}
	if unfinished && !c.flags.dryRun && im.Policy != bundle.None {
		if err := c.goOn(im); err != nil {
			return err
		}
	}
	plan, err := c.planImport(ctx, &im, name, most, v)
	if err != nil {
		return err
	}
	if im.Policy == bundle.None {
		return c.heldAgainst(name, plan, v)
	}
	if !plan.Does() {
		return c.imported(name, v, plan, &bundle.Applied{})
	}
	if done, err := c.agreeToImport(name, plan, v, unfinished); done || err != nil {
		return err
	}
	var out *bundle.Applied
	err = opened(ctx, name, most, func(ctx context.Context, r *bundle.Reader) (err error) {
		out, err = im.Apply(ctx, plan, r, bundle.Who{By: caller(), Reason: v.reason})
		return err
	})
	if err != nil {
		return err
	}
	return c.imported(name, v, plan, out)
}

// planImport reads the bundle. The classes of this host are those of the profile that was
// named, or of the one of ours that the bundle names, or the usual ones.
func (c *cli) planImport(ctx context.Context, im *bundle.Import, name string, most int64, v unpacking) (plan *bundle.Plan, err error) {
	err = opened(ctx, name, most, func(ctx context.Context, r *bundle.Reader) (err error) {
		if err := isBundle(name, r, v.digest); err != nil {
			return err
		}
		usual := "generic"
		if slices.Contains(bundle.Profiles(), r.Profile.Name) {
			usual = r.Profile.Name
		}
		if im.Profile, err = v.profile.read(usual); err != nil {
			return err
		}
		if v.profile.name == "" && len(v.profile.include) == 0 {
			im.Profile.Include = []string{"."}
		}
		plan, err = patiently(ctx, im.Progress, c.progress(im.Progress), func(ctx context.Context) (*bundle.Plan, error) { return im.Plan(ctx, r) })
		return appdataProblem(im.Root, err)
	})
	return plan, err
}

func (c *cli) goOn(im bundle.Import) error {
	out, err := im.Resume()
	if err != nil {
		return bundleProblem(im.Root, err)
	}
	if out != nil {
		c.say("Went on with import %d, which was not finished.", out.Number)
	}
	return changedMeanwhile(im.Root, out)
}

// changedMeanwhile is the problem of files that were left alone; nil for none.
func changedMeanwhile(root string, out *bundle.Applied) error {
	if out == nil || len(out.Left) == 0 {
		return nil
	}
	var names []string
	for _, name := range out.Left {
		names = append(names, appdata.Quote(name))
	}
	return problem.New("COT-368", nil, "%s: %s, import %d", root, strings.Join(names, ", "), out.Number)
}

// steps tells a plan, a line for each path.
func (c *cli) importSteps(plan *bundle.Plan, lines bool) []string {
	var steps []string
	for _, change := range plan.Changes {
		line := fmt.Sprintf("%-8s %s", change.Action, appdata.Quote(change.Path))
		if change.Kind == appdata.Folder {
			line += "/"
		}
		if change.Why != "" {
			line += "  (" + change.Why + ")"
		}
		steps = append(steps, line)
		if lines && change.Action != bundle.Keep && change.Theirs != nil {
			text := differingLines(appdata.Discreet(change.Ours), appdata.Discreet(change.Theirs))
			for part := range strings.Lines(text) {
				steps = append(steps, "    "+table.Safe(strings.TrimRight(part, "\n")))
			}
		}
	}
	return steps
}

func (c *cli) agreeToImport(name string, plan *bundle.Plan, v unpacking, unfinished bool) (bool, error) {
	steps := c.importSteps(plan, v.lines)
	if unfinished && c.flags.dryRun {
		steps = append([]string{"first go on with an import that was not finished: the rest may become less"}, steps...)
	}
	return c.agree(fmt.Sprintf("Would bring %s into %s (%s, from %s to %s):", name, v.into, strings.ToUpper(v.policy), plan.Header.Tier, v.tier), steps, "Go on?")
}

// heldAgainst tells whether the tree is as the bundle says.
func (c *cli) heldAgainst(name string, plan *bundle.Plan, v unpacking) error {
	if !plan.Does() {
		return c.imported(name, v, plan, &bundle.Applied{})
	}
	if c.plain() {
		if err := c.print(strings.Join(c.importSteps(plan, v.lines), "\n") + "\n"); err != nil {
			return err
		}
	} else if err := c.imported(name, v, plan, &bundle.Applied{}); err != nil {
		return err
	}
	return problem.New("COT-371", nil, "%s differs from %s in %d places", v.into, name, len(plan.Changes)-plan.Count(bundle.Keep))
}

func (c *cli) imported(name string, v unpacking, plan *bundle.Plan, out *bundle.Applied) error {
	text := fmt.Sprintf("%s is as %s says already; nothing to do.\n", v.into, name)
	if out.Number > 0 {
		text = fmt.Sprintf("Brought %s into %s: %d added, %d replaced, %d merged, %d deleted.\nTo take it back: coterie bundle import --undo --into %s\n",
			name, v.into, plan.Count(bundle.Add), plan.Count(bundle.Replace), plan.Count(bundle.Merge), plan.Count(bundle.Delete), v.into)
	}
	if kept := plan.Count(bundle.Keep); kept > 0 {
		text += fmt.Sprintf("%d left as this host has them (-n lists them).\n", kept)
	}
	changes := []table.Document{}
	for _, change := range plan.Changes {
		changes = append(changes, table.Document{
			{Name: "path", Value: appdata.Quote(change.Path)}, {Name: "action", Value: string(change.Action)}, {Name: "class", Value: string(change.Class)}, {Name: "why", Value: change.Why},
		})
	}
	err := c.document(table.Document{
		{Name: "schema", Value: "coterie.bundle_import/v1"},
		{Name: "file", Value: name},
		{Name: "into", Value: v.into},
		{Name: "policy", Value: strings.ToLower(v.policy)},
		{Name: "import", Value: out.Number},
		{Name: "bundle", Value: plan.Digest.String()},
		{Name: "changes", Value: changes},
		{Name: "changed", Value: out.Number > 0},
	}, text)
	return errors.Join(err, changedMeanwhile(v.into, out))
}

func (c *cli) undoImport(v unpacking) error {
	im := bundle.Import{Root: v.into}
	last, err := im.Last()
	if err != nil {
		return bundleProblem(v.into, err)
	}
	steps := []string{fmt.Sprintf("import %d of %s by %s %s", last.Number, last.At.UTC().Format(time.RFC3339), table.Safe(last.By), table.Safe(last.Reason))}
	for _, name := range last.Paths {
		steps = append(steps, "take back "+appdata.Quote(name))
	}
	if done, err := c.agree("Would take back:", steps, "Go on?"); done || err != nil {
		return err
	}
	out, err := im.Undo(last.Number)
	if err != nil {
		return bundleProblem(v.into, err)
	}
	err = c.document(table.Document{
		{Name: "schema", Value: "coterie.bundle_undo/v1"},
		{Name: "into", Value: v.into},
		{Name: "import", Value: out.Number},
		{Name: "changes", Value: out.Changes - len(out.Left)},
		{Name: "changed", Value: true},
	}, fmt.Sprintf("Took back import %d: %d paths are as they were.\n", out.Number, out.Changes-len(out.Left)))
	return errors.Join(err, changedMeanwhile(v.into, out))
}
