package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/table"
)

// load reads the configuration that the agent reads.
func (c *cli) load(cmd *cobra.Command) (*config.Config, error) {
	cfg, err := config.Load(config.Options{File: c.flags.config, Flags: cmd.Flags()})
	if err == nil {
		c.detail("configuration %s: node %s", orElse(cfg.File(), "from the environment"), cfg.Node.Name)
	}
	return cfg, err
}

func (c *cli) configCommand() *cobra.Command {
	return c.family("config", "Check, show and explain the configuration of this node",
		`  coterie config check
  coterie config show --origin
  coterie config explain database.pool_size`,
		c.configCheck(), c.configShow(), c.configExplain())
}

func (c *cli) configCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read the configuration and tell all that is wrong with it",
		Example: `  coterie config check
  coterie -c app-a.yaml config check`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(cmd)
			if err != nil {
				return err
			}
			file := orElse(cfg.File(), "environment")
			return c.document(table.Document{
				{Name: "schema", Value: "coterie.config/v1"},
				{Name: "file", Value: cfg.File()},
				{Name: "cluster", Value: cfg.Cluster},
				{Name: "node", Value: cfg.Node.Name},
			}, fmt.Sprintf("%s  %s: node %s of cluster %s\n", c.sign(signWell), file, cfg.Node.Name, cfg.Cluster))
		},
	}
}

func (c *cli) configShow() *cobra.Command {
	var origin bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show every value in force",
		Example: `  coterie config show
  coterie config show --origin     and where each comes from`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(cmd)
			if err != nil {
				return err
			}
			rows := &table.Rows{View: "config", Columns: []string{"key", "value", "origin"}}
			for _, s := range cfg.Settings() {
				rows.Values = append(rows.Values, []any{s.Key, s.Value, s.Origin.String()})
			}
			fields := []table.Field{table.Column("KEY", "key"), table.Prose("VALUE", "value")}
			if origin {
				fields = append(fields, table.Prose("ORIGIN", "origin"))
			}
			return c.show(rows, fields...)
		},
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "tell where each value comes from")
	return cmd
}

func (c *cli) configExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [KEY]",
		Short: "Explain a key, or list all keys",
		Example: `  coterie config explain
  coterie config explain http.listen`,
		Args: perhapsOne("KEY"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, k := range config.Keys() {
				names = append(names, k.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.explainKeys()
			}
			return c.explainKey(args[0])
		},
	}
}

func (c *cli) explainKeys() error {
	rows := &table.Rows{View: "config_keys", Columns: []string{"key", "type", "default", "needed", "variable", "meaning"}}
	for _, k := range config.Keys() {
		rows.Values = append(rows.Values, []any{k.Name, k.Type, k.Default, k.Needed, k.Env(), k.Meaning})
	}
	return c.show(rows, table.Column("KEY", "key"), table.Prose("MEANING", "meaning"), table.Column("DEFAULT", "default").AsWide())
}

func (c *cli) explainKey(name string) error {
	k, near, ok := config.Explain(name)
	if !ok {
		return nearest("COT-221", "no key", name, []string{near})
	}
	value := k.Default
	switch {
	case k.Needed:
		value = "none: it must be set"
	case value == "":
		value = "none"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  %s\n\n  type      %s\n  default   %s\n", k.Name, strings.Join(fold(k.Meaning, usualWidth-2), "\n  "), k.Type, value)
	if k.Env() != "" {
		fmt.Fprintf(&b, "  variable  %s\n", k.Env())
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.config_key/v1"},
		{Name: "key", Value: k.Name},
		{Name: "type", Value: k.Type},
		{Name: "default", Value: k.Default},
		{Name: "needed", Value: k.Needed},
		{Name: "variable", Value: k.Env()},
		{Name: "meaning", Value: k.Meaning},
	}, b.String())
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// fold breaks a text at blanks into lines of at most that width.
func fold(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
