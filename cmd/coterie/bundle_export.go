package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/bundle"
	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// packing is what coterie bundle export was asked for.
type packing struct {
	profile                 profileFlags
	out, tier, version, key string
}

func (c *cli) bundleExport() *cobra.Command {
	var v packing
	cmd := &cobra.Command{
		Use:   "export ROOT --tier TIER --out FILE",
		Short: "Put the files of an installation into one file",
		Long: `Writes a bundle of what the profile includes of ROOT to FILE. Secrets, and what
is one host's own, are left out and named. The same files make the same bundle,
byte for byte. A bundle that FILE is already is left alone; another file is
replaced at once. A file that changes while it is read is read again.`,
		Example: `  coterie bundle export /opt/appboard --profile appboard --tier dev \
      --key dev.key --out portal.bundle
  coterie bundle export . --include conf --include 'lib/*.jar' --tier dev \
      --out conf.bundle -n`,
		Args: one("ROOT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			return c.export(ctx, args[0], v)
		},
	}
	v.profile.add(cmd.Flags(), "generic")
	cmd.Flags().StringVar(&v.out, "out", "", "`FILE` to write")
	cmd.Flags().StringVar(&v.tier, "tier", "", "the environment that ROOT belongs to, such as `dev`")
	cmd.Flags().StringVar(&v.version, "product-version", "", "`VERSION` of the product, where the profile names no file that says it")
	cmd.Flags().StringVar(&v.key, "key", "", "`FILE` of the key that vouches for it (coterie bundle key)")
	return cmd
}

func (c *cli) export(ctx context.Context, root string, v packing) error {
	if v.out == "" || v.tier == "" {
		return usageProblem("coterie bundle export needs --tier and --out").hint("", "See: coterie bundle export --help")
	}
	if lies, err := liesIn(root, v.out); err != nil {
		return folderProblem(root, err)
	} else if lies {
		return usageProblem("%s lies in %s, and would be a part of itself", v.out, root).hint("", "write it elsewhere")
	}
	profile, err := v.profile.read("generic")
	if err != nil {
		return err
	}
	progress := new(appdata.Progress)
	x := bundle.Export{
		Root: root, Profile: profile, Tier: v.tier, Version: v.version, Workers: 4, Temp: filepath.Dir(v.out), Progress: progress,
	}
	if v.key != "" {
		if x.Key, err = bundle.ReadKey(v.key); err != nil {
			return bundleProblem("--key", err)
		}
	}
	look := x.List // each file is read once, as it is packed
	there, err := isThere(v.out)
	if there || c.flags.dryRun {
		look = x.Look // what there is to say needs the digests
	}
	if err != nil {
		return err
	}
	content, err := patiently(ctx, progress, c.progress(progress), look)
	if err != nil {
		return bundleProblem(root, folderProblem(root, err))
	}
	same := false
	if there {
		if same, err = sameBundle(ctx, v.out, content, x); err != nil {
			return err
		}
	}
	if c.flags.dryRun && !same { // packed nowhere: all that there is to say is known then
		if err := c.packed(ctx, x, content, io.Discard); err != nil {
			return bundleProblem(root, appdataProblem(root, err))
		}
	}
	if !same {
		if err := c.agreeToExport(v, content, there); err != nil {
			return err
		}
		if content, err = c.writeBundle(ctx, x, content, v.out); err != nil {
			return err
		}
	}
	return c.exported(v, x, content, same)
}

func isThere(name string) (bool, error) {
	info, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		return true, usageProblem("%s is there, and is no regular file", name).hint("", "--out FILE")
	}
	return err == nil, err
}

// liesIn says whether a file would lie in a folder.
func liesIn(folder, file string) (bool, error) {
	var at [2]string
	for i, name := range []string{folder, filepath.Dir(file)} {
		full, err := filepath.EvalSymlinks(name)
		if err == nil {
			full, err = filepath.Abs(full)
		}
		if err != nil {
			return false, err
		}
		at[i] = full
	}
	return at[0] == at[1] || strings.HasPrefix(at[1], strings.TrimSuffix(at[0], "/")+"/"), nil
}

// sameBundle says whether a file is the bundle that would be written.
func sameBundle(ctx context.Context, name string, content *bundle.Content, x bundle.Export) (same bool, err error) {
	digest, err := content.Digest()
	if err != nil {
		return false, bundleProblem(x.Root, err)
	}
	err = opened(ctx, name, content.Manifest.Bytes, func(ctx context.Context, r *bundle.Reader) error {
		if r.Digest != digest || r.Signer() != x.Signer() {
			return nil
		}
		if err := r.Each(ctx, nil); err != nil {
			return err
		}
		same = true
		return nil
	})
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if _, bad := errors.AsType[*problem.Problem](err); bad { // another file, or a damaged one: it is replaced
		return false, nil
	}
	return same, err
}

func (c *cli) agreeToExport(v packing, content *bundle.Content, there bool) error {
	m := content.Manifest
	steps := []string{fmt.Sprintf("write %s: %s, %s", v.out, ofEntries(m.Entries), size(m.Bytes))}
	for _, left := range content.Left {
		steps = append(steps, "leave out "+appdata.Quote(left.Path)+" ("+left.Why+")")
	}
	for _, bare := range content.Bare {
		steps = append(steps, "put in "+appdata.Quote(bare.Path)+" ("+bare.Why+")")
	}
	if v.key == "" {
		steps = append(steps, "nobody vouches for it: no --key")
	}
	if there {
		steps = append(steps, "what "+v.out+" has now is lost")
	}
	if !there && !c.flags.dryRun {
		return nil
	}
	_, err := c.agree("Would export "+v.tier+":", steps, "Go on?")
	return err
}

// exportTries is how often a tree is read that changes meanwhile.
const exportTries = 3

func (c *cli) writeBundle(ctx context.Context, x bundle.Export, content *bundle.Content, out string) (*bundle.Content, error) {
	for try := 1; ; try++ {
		err := atomicfile.WriteFrom(out, 0o644, func(w io.Writer) error { return c.packed(ctx, x, content, w) })
		if err == nil {
			return content, nil
		}
		if !errors.Is(err, bundle.ErrChanging) || try == exportTries {
			return nil, bundleProblem(x.Root, appdataProblem(x.Root, err))
		}
		c.detail("%v; reading it again", err)
		if content, err = patiently(ctx, x.Progress, c.progress(x.Progress), x.Look); err != nil { // tells all that is wrong
			return nil, bundleProblem(x.Root, appdataProblem(x.Root, err))
		}
	}
}

func (c *cli) packed(ctx context.Context, x bundle.Export, content *bundle.Content, out io.Writer) error {
	_, err := patiently(ctx, x.Progress, c.progress(x.Progress), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, x.Write(ctx, content, out)
	})
	return err
}

// mostBare is how many files people are told of that are not carried wholly.
const mostBare = 20

func (c *cli) exported(v packing, x bundle.Export, content *bundle.Content, same bool) error {
	digest, err := content.Digest()
	if err != nil {
		return err
	}
	info, err := os.Stat(v.out)
	if err != nil {
		return err
	}
	m := content.Manifest
	text := fmt.Sprintf("%s has these files already; nothing to do.\n", v.out)
	if !same {
		text = fmt.Sprintf("Wrote %s: %s, %s in %s.\n", v.out, ofEntries(m.Entries), size(m.Bytes), size(info.Size()))
	}
	left := []string{}
	for _, l := range content.Left {
		left = append(left, appdata.Quote(l.Path)+" ("+l.Why+")")
	}
	if len(left) > 0 {
		text += "Left out:\n  " + strings.Join(left, "\n  ") + "\n"
	}
	bare := []string{}
	for _, b := range content.Bare {
		bare = append(bare, appdata.Quote(b.Path)+" ("+b.Why+")")
	}
	if n := len(bare); n > 0 && !same {
		text += "Not as in the tree, since a bundle cannot carry it:\n  " + strings.Join(bare[:min(n, mostBare)], "\n  ") + "\n"
		if n > mostBare {
			text += fmt.Sprintf("  and %d more (-o json lists them)\n", n-mostBare)
		}
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.bundle_export/v1"},
		{Name: "file", Value: v.out},
		{Name: "digest", Value: digest.String()},
		{Name: "signer", Value: x.Signer()},
		{Name: "tier", Value: m.Tier},
		{Name: "product_version", Value: m.Version},
		{Name: "entries", Value: m.Entries},
		{Name: "bytes", Value: m.Bytes},
		{Name: "size", Value: info.Size()},
		{Name: "left_out", Value: left},
		{Name: "not_carried", Value: bare},
		{Name: "changed", Value: !same},
	}, text)
}
