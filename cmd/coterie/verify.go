package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/internal/problem"
)

func (c *cli) verifyCommand() *cobra.Command {
	var flags scanFlags
	var content, changes string
	cmd := &cobra.Command{
		Use: verbVerify, Hidden: true, Args: nothing,
		Short:   "Hold the share against its manifest",
		Example: "  coterie run VERIFY       a job with this action starts it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := calledFor()
			if err != nil {
				return err
			}
			k, err := c.open(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			flags.workers, flags.reread = 8, content == "all"
			return c.verify(cmd.Context(), k, verification{slotOf: s, scanFlags: flags, strict: changes == "fail"})
		},
	}
	cmd.Flags().StringVar(&content, "content", "changed", "read what looks `changed`, or all")
	cmd.Flags().StringVar(&changes, "changes", "tell", "`tell` what changed, or fail")
	cmd.Flags().IntVar(&flags.names, "names", 0, "look at `NUMBER` names a second at most")
	cmd.Flags().IntVar(&flags.mib, "mib", 0, "read `NUMBER` MiB a second at most")
	return cmd
}

// verification is a scan of the share for a slot.
type verification struct {
	slotOf
	scanFlags
	strict bool // each change is a deviation
}

// verify scans the share as coterie appdata scan does, and fails when it is not as the
// manifest says. Nothing is stored once the lease of the job is lost.
func (c *cli) verify(ctx context.Context, k *cluster, v verification) error {
	var files int64
	if err := k.db.GetContext(ctx, &files, `SELECT coalesce(max(files), 0) FROM coterie.appdata_trees WHERE name = 'share'`); err != nil {
		return err
	}
	seen, tell := new(appdata.Progress), progress()
	told := func() {
		if n := seen.Entries.Load(); tell != nil && files > 0 {
			tell(int(min(99, 100*n/files)), fmt.Sprintf("%d names, %s read", n, size(seen.Read.Load())))
		}
	}
	path := k.cfg.AppData.Path
	out, err := patiently(ctx, seen, told, func(ctx context.Context) (manifest.Outcome, error) {
		s, err := k.survey(ctx, v.scanFlags, seen)
		if err != nil {
			return manifest.Outcome{}, err
		}
		present := s.Scanner.Check
		s.Scanner.Check = func() error {
			if err := present(); err != nil {
				return err
			}
			return stillHeld(ctx, k.db, v.slotOf)
		}
		return s.Run(ctx)
	})
	if err != nil {
		return appdataProblem(path, err)
	}
	if err := c.print(scanText(out, seen) + deviations(out)); err != nil {
		return err
	}
	switch {
	case out.Held > 0:
		return problem.New("COT-312", nil, "%s of %s are missing, among them %s", plural(out.Held, "file"), path, some(out.Missing))
	case len(out.Quiet) > 0:
		return problem.New("COT-534", nil, "%s changed without a trace, among them %s", plural(int64(len(out.Quiet)), "file"), some(out.Quiet))
	case v.strict && out.Changes > 0:
		return problem.New("COT-534", nil, "%s since the last scan", plural(int64(out.Changes), "change"))
	}
	return nil
}

// deviations are lines for what is not as the manifest had it, the worst first.
func deviations(out manifest.Outcome) string {
	var text strings.Builder
	few := func(what string, paths []string) {
		for _, p := range paths[:min(len(paths), 20)] {
			fmt.Fprintf(&text, "%-12s %s\n", what, appdata.Quote(p))
		}
	}
	few("missing", out.Missing)
	few("quietly", out.Quiet)
	for _, change := range out.Sample {
		from := ""
		if change.From != "" {
			from = " from " + appdata.Quote(change.From)
		}
		fmt.Fprintf(&text, "%-12s %s%s\n", change.Change, appdata.Quote(change.Path), from)
	}
	if more := out.Changes - len(out.Sample); more > 0 {
		fmt.Fprintf(&text, "and %s more: coterie appdata changes\n", plural(int64(more), "change"))
	}
	return text.String()
}
