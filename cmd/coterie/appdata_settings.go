package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/properties"
	"github.com/coterie-ha/coterie/internal/table"
)

// installation is an application on this host and what is said of it.
type installation struct {
	path, profile  string
	set, setFrom   []string
	migrateProfile migrate.Profile
}

func (v *installation) find() error {
	named, err := profileNamed(v.profile)
	if err != nil {
		return err
	}
	if v.path, err = folderNamed(v.path); err != nil {
		return err
	}
	if v.migrateProfile, err = migrate.ProfileFor(v.path, named); err != nil {
		return migrateProblem(migrate.Plan{}, err)
	}
	return nil
}

// assigned are the values that are to be set.
func (v *installation) assigned() (map[string]string, error) {
	all, err := assignments(v.set)
	if err != nil {
		return nil, err
	}
	from, err := assignments(v.setFrom)
	if err != nil {
		return nil, err
	}
	for name, file := range from {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, problem.New("COT-401", nil, "value of %s: %v", name, err)
		}
		all[name] = strings.TrimRight(string(text), "\r\n")
	}
	return all, nil
}

func (c *cli) appdataSettings() *cobra.Command {
	var v installation
	var reason string
	cmd := &cobra.Command{
		Use:   "settings INSTALLATION",
		Short: "How the application is set here, against the other servers",
		Long: `Reads the settings of the application that decide whether its servers are one
cluster: connection to the database, certificate, addresses, the switch that
says it is not alone. The profile says which, and what each must be. They are
told to the database without passwords, and held against those that other nodes
have told. The exit code is 3 when something is not as it must be (COT-319).

--set gives a property its value, in its file, with no other byte changed; the
file as it was is kept in .coterie/settings below the installation. A value that
nobody should see is read from a file: --set-from. Start the application again
after it.`,
		Example: `  coterie appdata settings /opt/ibm-ucd/server
  coterie appdata settings /opt/appboard --set hosts.redundant=true -n
  coterie appdata settings /opt/appboard --set persist.properties#user=portal
  coterie appdata settings /opt/a --set-from persist.properties#password=FILE`,
		Args: one("INSTALLATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			v.path = args[0]
			if err := v.find(); err != nil {
				return err
			}
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			if err := c.setApplication(v); err != nil {
				return err
			}
			return c.tellSettings(ctx, k, v, reason)
		},
	}
	f := cmd.Flags()
	f.StringVar(&v.profile, "profile", "", "`NAME` or file of the profile (default: found out)")
	f.StringArrayVar(&v.set, "set", nil, "give a property this value: `NAME=VALUE`, or FILE#KEY=VALUE; may be repeated")
	f.StringArrayVar(&v.setFrom, "set-from", nil, "the same with the content of a file: `NAME=FILE`; may be repeated")
	reasonFlag(cmd, &reason)
	return cmd
}

// setApplication writes what is to be set, when somebody agrees.
func (c *cli) setApplication(v installation) error {
	values, err := v.assigned()
	if err != nil || len(values) == 0 {
		return err
	}
	texts, err := v.migrateProfile.Assign(v.path, values)
	if err != nil {
		return migrateProblem(migrate.Plan{}, err)
	}
	if len(texts) == 0 {
		c.say("All of it is set so already.")
		return nil
	}
	var steps []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		shown := migrate.WithoutSecrets(values[name])
		if slices.ContainsFunc(v.setFrom, func(one string) bool { return strings.HasPrefix(one, name+"=") }) {
			shown = "(the content of a file)"
		}
		steps = append(steps, fmt.Sprintf("set %s to %s", name, table.Safe(shown)))
	}
	if done, err := c.agree("Would change "+strings.Join(slices.Sorted(maps.Keys(texts)), ", ")+":", steps, "Go on?"); done || err != nil {
		return err
	}
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		if err := replaceKept(v.path, file, texts[file]); err != nil {
			return fmt.Errorf("set in %s: %w", file, err)
		}
	}
	return nil
}

// replaceKept writes a file, and keeps what it was.
func replaceKept(root, file string, text properties.Text) error {
	at := filepath.Join(root, file)
	was, err := os.ReadFile(at)
	switch {
	case err == nil:
		kept := filepath.Join(root, ".coterie", "settings", strings.ReplaceAll(file, "/", "__"))
		if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
			return err
		}
		if err := atomicfile.Write(kept, was, 0o600); err != nil {
			return err
		}
	case !errors.Is(err, os.ErrNotExist):
		return err
	default:
		return createLike(at, text)
	}
	return atomicfile.Write(at, text, 0o640)
}

// createLike makes a file that who has its folder can read.
func createLike(at string, text properties.Text) error {
	if err := atomicfile.Write(at, text, 0o640); err != nil || os.Geteuid() != 0 {
		return err
	}
	folder, err := os.Stat(filepath.Dir(at))
	if err != nil {
		return err
	}
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	return errors.Join(atomicfile.OwnerOf(f, folder), f.Close())
}

const appSettingsSQL = `SELECT coterie.app_settings_tell($1, $2, $3, $4)`

// tellSettings tells how the application is set, and judges it.
func (c *cli) tellSettings(ctx context.Context, k *cluster, v installation, reason string) error {
	var salt string
	if err := k.db.GetContext(ctx, &salt, `SELECT id FROM coterie.clusters`); err != nil {
		return err
	}
	here, err := v.migrateProfile.SettingsOf(v.path, salt)
	if err != nil {
		return err
	}
	text, err := json.Marshal(here)
	if err != nil {
		return err
	}
	by := caller()
	if reason != "" {
		by += ": " + reason
	}
	var heard []byte
	if err := k.command(ctx, &heard, appSettingsSQL, k.cfg.Node.Name, v.migrateProfile.Name, string(text), by); err != nil {
		return err
	}
	var told map[string]map[string]string
	if err := json.Unmarshal(heard, &told); err != nil {
		return err
	}
	var others []migrate.Server
	for _, node := range slices.Sorted(maps.Keys(told)) {
		others = append(others, migrate.Server{Name: node, Values: told[node]})
	}
	return c.showSettings(v, here, others)
}

func (c *cli) showSettings(v installation, here map[string]string, others []migrate.Server) error {
	verdicts := migrate.Judge(v.migrateProfile.Settings, here, others)
	var b strings.Builder
	all := []table.Document{}
	for _, s := range v.migrateProfile.Settings {
		value, set := here[s.Name()]
		if set && s.Key+s.Attribute == "" {
			value = "(compared as a whole)"
		}
		if !set {
			value = "(not set)"
		}
		sign := signWell
		var said []string
		for _, one := range verdicts {
			if one.Setting.Name() == s.Name() {
				sign, said = signBad, append(said, one.Text)
			}
		}
		fmt.Fprintf(&b, "  %-3s %s\n      %s\n", c.sign(sign), s.Name(), table.Safe(value))
		for _, text := range said {
			fmt.Fprintf(&b, "      %s\n", c.folded(text, 6))
		}
		all = append(all, table.Document{{Name: "name", Value: s.Name()}, {Name: "must", Value: string(s.Must)}, {Name: "value", Value: value}, {Name: "ok", Value: len(said) == 0}, {Name: "said", Value: said}})
	}
	var names []string
	for _, o := range others {
		names = append(names, o.Name)
	}
	if len(names) > 0 {
		fmt.Fprintf(&b, "Held against what was told by %s.\n", strings.Join(names, ", "))
	} else {
		b.WriteString("No other node has told its settings yet.\n")
	}
	if err := c.document(table.Document{{Name: "schema", Value: "coterie.app_settings/v1"}, {Name: "installation", Value: v.path}, {Name: "settings", Value: all}, {Name: "others", Value: names}}, b.String()); err != nil {
		return err
	}
	if len(verdicts) > 0 {
		return problem.New("COT-319", nil, "%s not as the cluster needs them at %s", plural(int64(len(verdicts)), "setting"), v.path)
	}
	return nil
}
