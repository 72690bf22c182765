package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) migratePlan() *cobra.Command {
	var a migrate.Ask
	var profile, out, passwordFile string
	var set []string
	cmd := &cobra.Command{
		Use:   "plan INSTALLATION --to SHARE",
		Short: "Find out what is to be moved, and whether it can be",
		Long: `Looks at an installation and at the share, says each thing that would be done,
and writes it to a plan file. Nothing else is written, but that small files are
made on the share and removed, to see what it can hold; with -n not even that,
and no file.

The product and its layout are found out; --profile takes a name or a YAML
file. What would be lost, or is in the way, is an objection with a word: what
may be accepted is, with --accept. The server may be running while a plan is
made.

With --join the share has the data already, and a further server is told of it:
its own folders are compared with the share, and stay where they are. So are
settings that servers of a cluster must have in common (database, certificate,
the load balancer's address) or each for itself; --set gives one a value with
the same edit, and at a terminal a person is asked for what is missing or does
not fit, unless --yes or --no-input is said. The encryption keystore of the
share is opened, to see that it has the key of which this server will be told:
by the usual password, else that of --keystore-password-file, else a person is
asked, three times at most.`,
		Example: `  coterie migrate plan /opt/ibm-ucd/server --to /media/share/appdata
  coterie migrate plan /opt/ibm-ucd/server --to /media/share/appdata -n
  coterie migrate plan /opt/ibm-ucd/server --to /mnt/a --accept owners,modes
  coterie migrate plan /opt/ibm-ucd/server --to /media/share/appdata --join
  coterie migrate plan ucd --to /mnt/a --join --set agentcomm.uri=wss://b:7919`,
		Args: one("INSTALLATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.To == "" {
				return usageProblem("%s needs --to SHARE", cmd.CommandPath()).hint("", "See: "+cmd.CommandPath()+" --help")
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			var err error
			if a.Profile, err = profileNamed(profile); err != nil {
				return err
			}
			if a.Install, err = folderNamed(args[0]); err != nil {
				return err
			}
			if a.To, err = folderNamed(a.To); err != nil {
				return err
			}
			if a.Set, err = assignments(set); err != nil {
				return err
			}
			a.By, a.Try = caller(), !c.flags.dryRun
			return c.planMigration(ctx, a, out, passwordFile)
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.To, "to", "", "`FOLDER` on the share that is to hold the application data")
	f.StringVar(&profile, "profile", "", "`NAME` or file of the profile (default: found out)")
	f.StringVar(&a.Layout, "layout", "", "`NAME` of the profile's layout (default: found out)")
	f.StringSliceVar(&a.Accepts, "accept", nil, "`WORDS` of objections that are accepted")
	f.BoolVar(&a.Join, "join", false, "the share has the data; this server is a further one")
	f.StringArrayVar(&set, "set", nil, "give a setting of the profile this value: `KEY=VALUE`; may be repeated")
	f.StringVar(&passwordFile, "keystore-password-file", "", "`FILE` with the password of the encryption keystore on the share")
	f.StringVar(&out, "out", "", "plan `FILE` (default: plan-ID.json)")
	reasonFlag(cmd, &a.Reason)
	return c.apart(cmd, func([]string) string { return a.To })
}

// assignments reads what --set says.
func assignments(said []string) (map[string]string, error) {
	all := map[string]string{}
	for _, one := range said {
		key, value, found := strings.Cut(one, "=")
		if !found || key == "" {
			return nil, usageProblem("--set %q names no value", one).hint("", "--set KEY=VALUE")
		}
		all[key] = value
	}
	return all, nil
}

// folderNamed makes a path absolute, but leaves what it refuses to be refused.
func folderNamed(name string) (string, error) {
	if strings.HasPrefix(name, "~") || strings.Contains(name, "$") {
		return name, nil
	}
	return filepath.Abs(name)
}

func (c *cli) planMigration(ctx context.Context, a migrate.Ask, out, passwordFile string) error {
	p, err := migrate.Make(ctx, a)
	if err == nil && a.Join {
		if p, err = c.completed(ctx, p, a, passwordFile); err != nil {
			return err
		}
	}
	if errors.Is(err, migrate.ErrNothingToDo) {
		return c.document(table.Document{{Name: "schema", Value: "coterie.migration_plan/v1"}, {Name: "plan", Value: nil}},
			"The server uses "+a.To+" already; nothing to do.\n")
	}
	if err != nil {
		return migrateProblem(p, err)
	}
	// While the server is at work a plan can be made, and the copy.
	var firm []migrate.Objection
	for _, o := range p.Refusals() {
		if !migrate.AtWork(o) {
			firm = append(firm, o)
		}
	}
	file := ""
	if len(firm) == 0 && !c.flags.dryRun {
		if file = out; file == "" {
			file = "plan-" + p.ID + ".json"
		}
		if err := atomicfile.Write(file, p.Text(), 0o600); err != nil {
			return err
		}
	}
	if err := c.showPlan(p, file); err != nil {
		return err
	}
	switch {
	case len(firm) > 0:
		return objections(firm)
	case c.flags.dryRun:
		return outcome(problem.ExitChanges)
	}
	return nil
}

func (c *cli) showPlan(p migrate.Plan, file string) error {
	var doc map[string]any
	p.Edits = slices.Clone(p.Edits) // to be shown, not to be made
	for i, e := range p.Edits {
		if p.Edits[i].Is = migrate.WithoutSecrets(e.Is); e.Was != nil {
			was := migrate.WithoutSecrets(*e.Was)
			p.Edits[i].Was = &was
		}
	}
	if err := json.Unmarshal(p.Text(), &doc); err != nil {
		return err
	}
	end := "Nothing was written.\n"
	if file != "" {
		end = fmt.Sprintf("plan written to %s\n  next: %s\n", file, c.again("migrate apply %s", file))
	}
	return c.document(table.Document{{Name: "schema", Value: "coterie.migration_plan/v1"}, {Name: "file", Value: file}, {Name: "plan", Value: doc}},
		c.planText(p)+end)
}

// planText is a plan for people.
func (c *cli) planText(p migrate.Plan) string {
	var b strings.Builder
	var files, bytes int64
	for _, one := range p.Items {
		files, bytes = files+one.Files, bytes+one.Bytes
	}
	version := p.Version
	if version != "" {
		version = " " + version
	}
	fmt.Fprintf(&b, "%s%s at %s\nlayout      %s\nsize        %s in %s\n", p.Profile.Product, version, p.Install, p.Layout.Says, size(bytes), plural(files, "file"))
	for _, one := range p.Items {
		verb, more := "copy", fmt.Sprintf("%9s  %s", size(one.Bytes), plural(one.Files, "file"))
		switch {
		case !one.Present:
			verb, more = "absent", ""
		case p.Join:
			verb = "leave"
		case one.Copy:
			verb = "copy, keep"
		}
		if one.Link != "" {
			more += ", which lies at " + appdata.Quote(one.Link)
		}
		fmt.Fprintf(&b, "  %-11s %s\n", verb, strings.TrimRight(fmt.Sprintf("%-36s %s", appdata.Quote(one.Path), more), " "))
	}
	for _, e := range p.Edits {
		was := "(not set)"
		if e.Was != nil {
			was = *e.Was
		}
		where := e.File
		if e.Line > 0 {
			where += fmt.Sprintf(":%d", e.Line)
		}
		fmt.Fprintf(&b, "  %-11s %s  %s\n              - %s\n              + %s\n", "edit", where, e.Key, table.Safe(was), table.Safe(e.Is))
	}
	if p.Layout.Links {
		fmt.Fprintf(&b, "  %-11s %s\n", "link", "each old place to its folder in "+p.To)
	}
	if !p.Join {
		fmt.Fprintf(&b, "  %-11s %s\n", "then", "originals stay until: coterie migrate finish")
	}
	for _, o := range p.Objects {
		sign := signBad
		if o.Accepted {
			sign = signLook
		}
		fmt.Fprintf(&b, "  %-3s %s\n", c.sign(sign), c.folded(objection(o), 6))
	}
	if len(p.Objects) == 0 {
		fmt.Fprintf(&b, "  %-3s %s\n", c.sign(signWell), "server stopped, room, names, owners, modes")
	}
	return b.String()
}
