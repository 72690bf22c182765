package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/keystore"
)

func (c *cli) keystoreCommand() *cobra.Command {
	return c.family("keystore", "Keystores: what is in them, and their versions", `  coterie keystore show
  coterie keystore show tomcat.keystore --password-file F
  coterie keystore show new.p12 --password-file F --host www.example.org --check
  coterie keystore convert old.jks --password-file F --to pkcs12 --out new.p12
  coterie keystore stage new.p12 --password-file F -m "renewed"
  coterie keystore activate -y
  coterie keystore status`,
		c.keystoreShow(), c.keystoreStage(), c.keystoreActivate(), c.keystoreStatus(), c.keystoreRollback(), c.keystoreEncryption(), c.keystoreAccept(), c.keystorePlace(), c.keystoreProve(), c.keystoreConvert(),
		c.keystoreRecoveryKey(), c.keystoreRecover())
}

// passwordFlags say where the passwords of a keystore are.
type passwordFlags struct{ store, keys string }

func (p *passwordFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.store, "password-file", "", "`FILE` whose one line is the password; - for stdin (default: ask)")
	cmd.Flags().StringVar(&p.keys, "key-password-file", "", "`FILE` with the password of keys that have their own")
}

func (c *cli) keystoreShow() *cobra.Command {
	var pass passwordFlags
	var alias string
	var hosts []string
	var check bool
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show the versions that the cluster has, or what is in a file",
		Long: `Without FILE: the versions that the database has, and who can open them. With
it: the entries of a PKCS12, JKS, JCEKS or PEM file, whose content tells which.
What a server or its clients would object to is told below them; with --check
the exit code is 3 if there is any of that. No database is needed for a file.`,
		Example: `  coterie keystore show
  coterie keystore show tomcat.keystore --password-file F
  coterie keystore show tomcat.keystore --password-file F -o json
  coterie keystore show new.p12 --password-file F --host www.example.org --check`,
		Args: perhapsOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.showVersions(cmd)
			}
			s, data, err := c.readKeystore(args[0], pass)
			if err != nil {
				return err
			}
			if check { // only to list them, nobody need choose
				if alias, err = c.chooseAlias(args[0], s, alias); err != nil {
					return err
				}
			}
			faults := keystore.Check(s, keystore.Want{Alias: alias, Hosts: hosts, Now: time.Now()})
			if onlyTrust(s) && alias == "" {
				faults = nil // nothing is served from it
			}
			if err := c.showKeystore(args[0], s, data, faults); err != nil {
				return err
			}
			if bad := keystore.Unfit(faults); check && len(bad) > 0 {
				return problem.New("COT-913", nil, "%s: %s", args[0], bad[0].Text)
			}
			return nil
		},
	}
	pass.add(cmd)
	cmd.Flags().StringVar(&alias, "alias", "", "`ALIAS` of the key that is served (default: the only one)")
	cmd.Flags().StringSliceVar(&hosts, "host", nil, "`NAMES` by which clients call the server")
	cmd.Flags().BoolVar(&check, "check", false, "exit code 3 if a server or its clients would refuse it")
	return cmd
}

// showVersions shows what the database has.
func (c *cli) showVersions(cmd *cobra.Command) error {
	ctx, cancel := c.context(cmd)
	defer cancel()
	k, err := c.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer k.db.Close()
	rows, err := k.rows(ctx, "keystores", "ORDER BY v.name, v.version DESC")
	if err != nil {
		return err
	}
	return c.show(rows,
		table.Column("NAME", "name"),
		table.Number("VERSION", "version"),
		table.Column("STATE", "state"),
		table.Column("ALIAS", "alias"),
		table.Column("ENDS", "not_after"),
		table.Column("CLOSED TO", "closed_to"),
		table.Prose("SUBJECT", "subject"),
		table.Column("STAGED BY", "staged_by").AsWide(),
		table.Column("OPENED BY", "opened_by").AsWide(),
		table.Column("FINGERPRINT", "fingerprint").AsWide())
}

// readKeystore reads a file, and asks for its password if nobody said where it is.
func (c *cli) readKeystore(name string, flags passwordFlags) (*keystore.Store, []byte, error) {
	data, err := keystore.ReadFile(name)
	if err != nil {
		return nil, nil, keystoreProblem(name, err)
	}
	var pass keystore.Passwords
	if flags.keys != "" {
		key, err := c.readPassword(flags.keys)
		if err != nil {
			return nil, nil, err
		}
		pass.Keys = []keystore.Password{key}
	}
	s, err := c.openKeystore(name, data, flags.store, pass)
	return s, data, err
}

func onlyTrust(s *keystore.Store) bool {
	for _, e := range s.Entries {
		if e.Kind == keystore.Key {
			return false
		}
	}
	return true
}

func (c *cli) showKeystore(name string, s *keystore.Store, data []byte, faults []keystore.Fault) error {
	rows := keystoreRows(s)
	sum := sha256.Sum256(data)
	if c.flags.machine() && len(c.flags.columns) == 0 {
		if faults == nil {
			faults = []keystore.Fault{}
		}
		return c.document(table.Document{
			{Name: "schema", Value: "coterie.keystore/v1"},
			{Name: "file", Value: name},
			{Name: "format", Value: string(s.Format)},
			{Name: "bytes", Value: len(data)},
			{Name: "sha256", Value: hex.EncodeToString(sum[:])},
			{Name: "entries", Value: rows.List()},
			{Name: "faults", Value: faultDocuments(faults)},
		}, "")
	}
	if c.plain() {
		if err := c.print(fmt.Sprintf("%s, %s, SHA-256 %s\n", strings.ToUpper(string(s.Format)), plural(int64(len(data)), "byte"), hex.EncodeToString(sum[:]))); err != nil {
			return err
		}
	}
	if err := c.show(rows, keystoreFields()...); err != nil {
		return err
	}
	if c.plain() && len(faults) > 0 {
		return c.printFaults(faults)
	}
	return nil
}

func faultDocuments(faults []keystore.Fault) []table.Document {
	list := []table.Document{}
	for _, f := range faults {
		list = append(list, table.Document{
			{Name: "rule", Value: f.Rule}, {Name: "grave", Value: f.Grave.String()}, {Name: "alias", Value: f.Alias}, {Name: "text", Value: f.Text},
		})
	}
	return list
}

func (c *cli) printFaults(faults []keystore.Fault) error {
	var text strings.Builder
	text.WriteString("\n")
	for _, f := range faults {
		sign := c.sign(signLook)
		if f.Grave == keystore.Fatal {
			sign = c.sign(signBad)
		}
		about := ""
		if f.Alias != "" {
			about = f.Alias + ": "
		}
		text.WriteString("  " + sign + " " + c.folded(about+f.Text, 4) + "\n")
	}
	return c.print(text.String())
}

func keystoreFields() []table.Field {
	return []table.Field{
		table.Column("ALIAS", "alias"),
		table.Column("KIND", "kind"),
		table.Column("KEY", "algorithm"),
		table.Number("CHAIN", "chain"),
		table.Column("FITS", "key_matches"),
		{Title: "ENDS", Show: func(r table.Row) string {
			if t := r.Time("not_after"); !t.IsZero() {
				return t.UTC().Format("2006-01-02")
			}
			return ""
		}},
		table.Prose("SUBJECT", "subject"),
		table.Column("ISSUER", "issuer").AsWide(),
		table.Column("NAMES", "names").AsWide(),
		table.Column("FINGERPRINT", "fingerprint").AsWide(),
	}
}

// keystoreRows are the entries as a view would have them.
func keystoreRows(s *keystore.Store) *table.Rows {
	rows := &table.Rows{View: "keystore_entries", At: time.Now(), Columns: []string{
		"alias", "kind", "created_at", "algorithm", "bits", "opened", "key_matches", "chain", "subject", "issuer", "serial",
		"names", "not_before", "not_after", "fingerprint", "chain_fingerprints",
	}}
	for _, e := range s.Entries {
		f := e.Facts()
		var created, matches, notBefore, notAfter any
		if !e.Created.IsZero() {
			created = e.Created
		}
		if e.Kind == keystore.Key && !e.Sealed() && len(e.Chain) > 0 {
			matches = f.Matches
		}
		if !f.NotAfter.IsZero() {
			notBefore, notAfter = f.NotBefore, f.NotAfter
		}
		rows.Values = append(rows.Values, []any{
			e.Alias, string(e.Kind), created, f.Algorithm, int64(f.Bits), !e.Sealed(), matches, int64(len(e.Chain)), f.Subject, f.Issuer, f.Serial,
			f.Names, notBefore, notAfter, f.Fingerprint, f.Chain,
		})
	}
	return rows
}
