package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) appdataScan() *cobra.Command {
	var flags scanFlags
	cmd := &cobra.Command{
		Use:   "scan",
		Short: "Look at the whole share, and store what is in it",
		Long: `Looks at each file of the share, reads the content of those that look different
than before, and stores what changed: coterie.appdata_files says what is there,
coterie.appdata_changes what changed. A scan that is interrupted keeps what it
knows, and the next one goes on from there. One scan is at work at a time: a new
one takes over.

Files that are missing are looked for twice. More than 1,000 of them, or more
than a tenth, are not believed to be gone: see coterie appdata accept.`,
		Example: `  coterie appdata scan
  coterie appdata scan -n                     what it would store
  coterie appdata scan --names 2000 --mib 50  leave others room
  coterie appdata scan --reread               verify all content`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			if c.flags.dryRun {
				return c.showDifference(ctx, k, flags)
			}
			return c.scanShare(ctx, k, flags)
		},
	}
	flags.add(cmd.Flags())
	return cmd
}

func (c *cli) scanShare(ctx context.Context, k *cluster, flags scanFlags) error {
	// Beside the application, which needs the memory more.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(scanMemory))
	progress := new(appdata.Progress)
	path := k.cfg.AppData.Path
	out, err := patiently(ctx, progress, c.progress(progress), func(ctx context.Context) (manifest.Outcome, error) {
		s, err := k.survey(ctx, flags, progress)
		if err != nil {
			return manifest.Outcome{}, err
		}
		return s.Run(ctx)
	})
	if err != nil {
		return appdataProblem(path, err)
	}
	doc := table.Document{
		{Name: "schema", Value: "coterie.appdata_scan/v1"},
		{Name: "first", Value: out.First},
		{Name: "folders", Value: progress.Folders.Load()},
		{Name: "entries", Value: progress.Entries.Load()},
		{Name: "read_bytes", Value: progress.Read.Load()},
		{Name: "errors", Value: progress.Errors.Load()},
		{Name: "changes", Value: out.Changes},
		{Name: "held", Value: out.Held},
		{Name: "took_ms", Value: out.Took.Milliseconds()},
	}
	if err := c.document(doc, scanText(out, progress)); err != nil {
		return err
	}
	if out.Held > 0 {
		p := problem.New("COT-312", nil, "%s of %s are missing, among them %s", plural(out.Held, "file"), path, some(out.Missing))
		p.Remedy = "see that the right share is mounted; if they are really gone: " + c.again("appdata accept")
		return p
	}
	return nil
}

// scanMemory is when a scan begins to look for memory that it has done with; it is no
// limit for what it needs.
const scanMemory = 96 << 20

func scanText(out manifest.Outcome, p *appdata.Progress) string {
	text := fmt.Sprintf("%s in %s, %s read, in %s: ", plural(p.Entries.Load(), "name"), plural(p.Folders.Load(), "folder"), size(p.Read.Load()), table.Duration(out.Took))
	switch {
	case out.First:
		text += "the first scan"
	case out.Changes == 0:
		text += "nothing changed"
	default:
		text += plural(int64(out.Changes), "change")
	}
	if n := p.Errors.Load(); n > 0 {
		text += fmt.Sprintf(", %s could not be looked at", plural(n, "name"))
	}
	return text + ".\n"
}

func some(paths []string) string {
	var shown []string
	for _, p := range paths[:min(3, len(paths))] {
		shown = append(shown, appdata.Quote(p))
	}
	return strings.Join(shown, ", ")
}

// size writes bytes for people.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for ; f >= 1024 && i < len(units)-1; i++ {
		f /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

// progress tells now and then how far a scan is.
func (c *cli) progress(p *appdata.Progress) func() {
	begun, told := time.Now(), time.Now()
	return func() {
		if time.Since(told) < 5*time.Second {
			return
		}
		told = time.Now()
		c.say("%s: %s in %s, %s read", table.Duration(time.Since(begun)), plural(p.Entries.Load(), "name"), plural(p.Folders.Load(), "folder"), size(p.Read.Load()))
	}
}
