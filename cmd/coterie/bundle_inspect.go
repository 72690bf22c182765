package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/bundle"
	"github.com/coterie-ha/coterie/internal/table"
)

// inspecting is what coterie bundle inspect was asked for.
type inspecting struct {
	trust  []string
	digest string
	most   string
	files  bool
}

func (c *cli) bundleInspect() *cobra.Command {
	var v inspecting
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what a bundle is, and whether it is whole",
		Long: `Reads all of a bundle, holds it against its manifest, and says where it comes
from. Nothing is unpacked. With --trust the signature must be by one of the
keys; with --digest it must be the very bundle that an export has made.`,
		Example: `  coterie bundle inspect portal.bundle
  coterie bundle inspect portal.bundle --trust dev.key.pub
  coterie bundle inspect portal.bundle --files -o csv`,
		Args: one("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			return c.inspect(ctx, args[0], v)
		},
	}
	cmd.Flags().StringArrayVar(&v.trust, "trust", nil, "`FILE` of a public key that may have signed it; may be repeated")
	cmd.Flags().StringVar(&v.digest, "digest", "", digestFlag)
	cmd.Flags().StringVar(&v.most, "most", "64GiB", "refuse a bundle whose files have more than `SIZE`")
	cmd.Flags().BoolVar(&v.files, "files", false, "list what is in it")
	return cmd
}

func (c *cli) inspect(ctx context.Context, name string, v inspecting) error {
	keys, err := readTrusted(v.trust)
	if err != nil {
		return err
	}
	most, err := bytesOf(v.most)
	if err != nil {
		return err
	}
	return opened(ctx, name, most, func(ctx context.Context, r *bundle.Reader) error {
		if len(keys) > 0 {
			if err := r.Believe(keys); err != nil {
				return err
			}
		}
		if err := isBundle(name, r, v.digest); err != nil {
			return err
		}
		if err := r.Each(ctx, nil); err != nil {
			return err
		}
		if v.files {
			return c.show(bundleFiles(r.Manifest), table.Prose("PATH", "path"), table.Column("KIND", "kind"), table.Column("CLASS", "class"),
				table.Column("MODE", "mode"), table.Number("SIZE", "size"), table.Column("SHA256", "sha256").AsWide())
		}
		return c.inspected(name, r, len(keys) > 0)
	})
}

func bundleFiles(m *bundle.Manifest) *table.Rows {
	rows := &table.Rows{View: "bundle_entries", At: time.Now(), Columns: []string{"path", "kind", "class", "mode", "size", "modified", "sha256", "target"}}
	for i := range m.Files {
		e := &m.Files[i]
		values := []any{e.Path, e.Kind.String(), string(e.Class), fmt.Sprintf("%04o", e.Mode), nil, nil, nil, nil}
		switch e.Kind {
		case appdata.File:
			values[4], values[5], values[6] = e.Size, time.Unix(e.MTime, 0).UTC(), e.Digest.String()
		case appdata.Link:
			values[3], values[7] = nil, e.Target
		}
		rows.Values = append(rows.Values, values)
	}
	return rows
}

func (c *cli) inspected(name string, r *bundle.Reader, believed bool) error {
	signer := "nobody"
	switch {
	case r.Signer() != "" && believed:
		signer = r.Signer() + ", which is trusted"
	case r.Signer() != "":
		signer = r.Signer() + ", not proved: no --trust"
	}
	version := r.Version
	if version == "" {
		version = "not said"
	}
	text := fmt.Sprintf("%s is whole\n  profile   %s\n  tier      %s\n  version   %s\n  entries   %d, %s of files\n  digest    %s\n  signed by %s\n",
		name, r.Profile.Name, r.Tier, version, r.Entries, size(r.Bytes), r.Digest, signer)
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.bundle_inspect/v1"},
		{Name: "file", Value: name},
		{Name: "format", Value: r.Format},
		{Name: "profile", Value: r.Profile.Name},
		{Name: "tier", Value: r.Tier},
		{Name: "product_version", Value: r.Version},
		{Name: "entries", Value: r.Entries},
		{Name: "bytes", Value: r.Bytes},
		{Name: "digest", Value: r.Digest.String()},
		{Name: "signer", Value: r.Signer()},
		{Name: "believed", Value: believed},
	}, text)
}
