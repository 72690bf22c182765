package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which coterie this is",
		Example: `  coterie version
  coterie version -o json`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error {
			version, revision := build()
			text := fmt.Sprintf("coterie %s\nrevision  %s\nbuilt by  %s for %s/%s\n", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return c.document(table.Document{
				{Name: "schema", Value: "coterie.version/v1"},
				{Name: "version", Value: version},
				{Name: "revision", Value: revision},
				{Name: "go", Value: runtime.Version()},
				{Name: "platform", Value: runtime.GOOS + "/" + runtime.GOARCH},
			}, text)
		},
	}
}

// build tells what this program was built from, as the Go tool recorded it.
func build() (version, revision string) {
	version, revision = "devel", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, revision
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		version = v
	}
	changed := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = ", changed since"
			}
		}
	}
	return version, revision + changed
}
