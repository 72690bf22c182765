package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata/bundle"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) bundleCommand() *cobra.Command {
	return c.family("bundle", "Carry an application's files from one environment to another", `  coterie bundle key --out dev.key
  coterie bundle export /opt/appboard --profile appboard --tier dev \
      --key dev.key --out portal.bundle
  coterie bundle inspect portal.bundle --trust dev.key.pub
  coterie bundle import portal.bundle --into /opt/appboard --tier prod \
      --from-tier dev --trust dev.key.pub -n`,
		c.bundleExport(), c.bundleImport(), c.bundleInspect(), c.bundleKey())
}

// bundleProblem gives what is wrong with a bundle or a tree its code.
func bundleProblem(what string, err error) error {
	f, ok := errors.AsType[*bundle.Fault](err)
	if !ok {
		if errors.Is(err, bundle.ErrChanging) {
			return problem.New("COT-372", nil, "%s: %v", what, err)
		}
		return err
	}
	code := map[bundle.FaultKind]string{
		bundle.Damaged: "COT-360", bundle.BadName: "COT-361", bundle.TooLarge: "COT-362", bundle.Unsigned: "COT-363", bundle.WrongKey: "COT-364",
		bundle.OtherTier: "COT-365", bundle.OtherVersion: "COT-366", bundle.Unfit: "COT-367", bundle.Meanwhile: "COT-368", bundle.Busy: "COT-369",
		bundle.Nothing: "COT-370", bundle.Unpackable: "COT-372", bundle.BadKey: "COT-374",
	}[f.Kind]
	return problem.New(code, nil, "%s: %s", what, table.Safe(f.Error()))
}

func (c *cli) bundleKey() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "key --out FILE",
		Short: "Make a key that vouches for bundles",
		Long: `Makes an Ed25519 key: FILE for those who export, readable by its owner alone,
and FILE.pub for those who import. A file that is there is left alone.`,
		Example: `  coterie bundle key --out dev.key
  coterie bundle key --out dev.key -n`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usageProblem("coterie bundle key needs --out").hint("", "See: coterie bundle key --help")
			}
			if _, err := os.Lstat(out); err == nil {
				return problem.New("COT-374", nil, "%s is there already, and a key is not replaced", out)
			}
			if c.flags.dryRun {
				_, err := c.agree("Would make a key:", []string{"write " + out, "write " + out + ".pub"}, "")
				return err
			}
			key, err := bundle.MakeKey(out)
			if err != nil {
				return err
			}
			return c.document(table.Document{
				{Name: "schema", Value: "coterie.bundle_key/v1"},
				{Name: "key", Value: out},
				{Name: "public", Value: out + ".pub"},
				{Name: "fingerprint", Value: bundle.Fingerprint(key)},
			}, fmt.Sprintf("Wrote %s and %s.pub, fingerprint %s.\n", out, out, bundle.Fingerprint(key)))
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "`FILE` to write")
	return cmd
}

// readTrusted reads the keys by which a bundle is believed.
func readTrusted(files []string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for _, name := range files {
		key, err := bundle.ReadPublicKey(name)
		if err != nil {
			return nil, bundleProblem("--trust", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

const digestFlag = "refuse a bundle with another `DIGEST` than this, which the export has told"

// isBundle says whether a bundle is the one that is meant; any is, where none is named.
func isBundle(name string, r *bundle.Reader, digest string) error {
	if digest == "" || strings.EqualFold(digest, r.Digest.String()) {
		return nil
	}
	return problem.New("COT-375", nil, "%s has the digest %s, and %s was to come", name, r.Digest, table.Safe(digest))
}

// bytesOf reads a size: a number, perhaps with KiB, MiB, GiB or TiB.
func bytesOf(text string) (int64, error) {
	number, shift := text, 0
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if rest, found := strings.CutSuffix(text, unit); found {
			number, shift = rest, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n<<shift>>shift != n {
		return 0, usageProblem("no size %q", text).hint("", "a number of bytes, or such as 64GiB")
	}
	return n << shift, nil
}

// opened opens a bundle for one pass.
func opened(ctx context.Context, name string, most int64, pass func(context.Context, *bundle.Reader) error) error {
	// Before it is opened: a pipe would wait for somebody to write.
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return problem.New("COT-360", nil, "%s is no regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := bundle.Open(f, most)
	if err != nil {
		return bundleProblem(name, err)
	}
	defer r.Close()
	return bundleProblem(name, pass(ctx, r))
}

// ofEntries is a number of them.
func ofEntries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
