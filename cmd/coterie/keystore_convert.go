package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/keystore"
)

// conversion is what coterie keystore convert was asked for.
type conversion struct {
	pass   passwordFlags
	to     string
	out    string
	outPwd string
	alias  string
	rename string
}

func (c *cli) keystoreConvert() *cobra.Command {
	var v conversion
	cmd := &cobra.Command{
		Use:   "convert FILE --to FORM --out OTHER",
		Short: "Write a keystore anew in another form, or with another password",
		Long: `Writes all entries of a keystore, or one of them, as PKCS12 (which servers
since Java 8u301 open), JKS or PEM. What was written is read again before OTHER
is put in place at once. Keys that have their own password keep it, but for JKS
that becomes PKCS12, where they get the store's, as keytool does it; in PEM they
are in clear unless --out-password-file is given. No database is needed.`,
		Example: `  coterie keystore convert old.jks --password-file F --to pkcs12 --out new.p12
  coterie keystore convert new.p12 --password-file F --to jks --out old.jks
  coterie keystore convert a.p12 --password-file F --alias a --to pem --out key
  coterie keystore convert key.pem --rename tomcat --to pkcs12 --out new.p12`,
		Args: one("FILE"),
		RunE: func(_ *cobra.Command, args []string) error { return c.convert(args[0], v) },
	}
	v.pass.add(cmd)
	cmd.Flags().StringVar(&v.to, "to", "", "`FORM` to write: pkcs12, jks or pem")
	cmd.Flags().StringVar(&v.out, "out", "", "`OTHER` file to write")
	cmd.Flags().StringVar(&v.outPwd, "out-password-file", "", "`FILE` with the password of OTHER (default: the same)")
	cmd.Flags().StringVar(&v.alias, "alias", "", "write this `ALIAS` only")
	cmd.Flags().StringVar(&v.rename, "rename", "", "`ALIAS` that the entry gets; there must be one only")
	return cmd
}

func (c *cli) convert(name string, v conversion) error {
	form := keystore.Format(strings.ToLower(v.to))
	forms := []string{string(keystore.PKCS12), string(keystore.JKS), string(keystore.PEM)}
	switch {
	case v.out == "" || v.to == "":
		return usageProblem("coterie keystore convert needs --to and --out").hint("", "See: coterie keystore convert --help")
	case form == keystore.JCEKS:
		return problem.New("COT-905", nil, "jceks is only read: write pkcs12, which Java's jceks type opens as well")
	case !slices.Contains(forms, string(form)):
		return usageProblem("no form of keystore %q", v.to).hint(config.Nearest(v.to, forms), "one of "+strings.Join(forms, ", "))
	}
	s, _, err := c.readKeystore(name, v.pass)
	if err != nil {
		return err
	}
	if v.rename != "" || form == keystore.PEM { // one of them is written
		if v.alias, err = c.chooseAlias(name, s, v.alias); err != nil {
			return err
		}
	}
	if err := v.choose(s, form); err != nil {
		return keystoreProblem(name, err)
	}
	pass, err := c.outPassword(v, form)
	if err != nil {
		return err
	}
	data, want, err := v.write(s, form, pass)
	if err != nil {
		return keystoreProblem(name, err)
	}
	return c.putConverted(v.out, form, data, want, pass)
}

// choose leaves in the store what is to be written.
func (v conversion) choose(s *keystore.Store, form keystore.Format) error {
	if v.alias != "" {
		if err := s.Only(v.alias); err != nil {
			return err
		}
	}
	if v.rename != "" {
		if len(s.Entries) != 1 {
			return fmt.Errorf("%w to rename: there are %s; --alias says which is meant", keystore.ErrNoAlias, entries(s))
		}
		if err := s.Rename(s.Entries[0].Alias, v.rename); err != nil {
			return err
		}
	}
	keys := 0
	for i := range s.Entries {
		if s.Entries[i].Kind == keystore.Key {
			keys++
		}
		if form == keystore.PKCS12 && s.Format != keystore.PKCS12 {
			s.Entries[i].Password = ""
		}
	}
	if form == keystore.PEM && keys > 1 {
		return fmt.Errorf("%w: PEM has no aliases, and there are %d private keys; --alias says which is meant", keystore.ErrNoAlias, keys)
	}
	return nil
}

// outPassword is the password of the new file.
func (c *cli) outPassword(v conversion, form keystore.Format) (keystore.Password, error) {
	switch {
	case v.outPwd != "":
		return c.readPassword(v.outPwd)
	case form == keystore.PEM:
		return "", nil
	case v.pass.store == "-":
		return "", usageProblem("stdin has been read for the old password").hint("", "--out-password-file FILE")
	case v.pass.store != "":
		return c.readPassword(v.pass.store)
	}
	first, err := c.askPassword("Password of " + v.out + ": ")
	if err != nil {
		return "", err
	}
	again, err := c.askPassword("The same again: ")
	if err == nil && again != first {
		err = problem.New("COT-903", nil, "the two passwords differ")
	}
	return first, err
}

// write is the new file, and the store that it must be read as.
func (v conversion) write(s *keystore.Store, form keystore.Format, pass keystore.Password) ([]byte, *keystore.Store, error) {
	data, err := keystore.Write(s, form, pass)
	if err != nil {
		return nil, nil, err
	}
	again, err := keystore.Read(data, withKeys(pass, s))
	if err != nil {
		return nil, nil, fmt.Errorf("read what was written: %w", err)
	}
	if form != keystore.PEM && !keystore.Same(s, again) {
		return nil, nil, fmt.Errorf("%w: what was written is not what was read", keystore.ErrMalformed)
	}
	return data, again, nil
}

// withKeys are the passwords of a store and of its keys.
func withKeys(pass keystore.Password, s *keystore.Store) keystore.Passwords {
	p := keystore.Passwords{Store: pass}
	for _, e := range s.Entries {
		if e.Password != "" && !slices.Contains(p.Keys, e.Password) {
			p.Keys = append(p.Keys, e.Password)
		}
	}
	return p
}

// putConverted puts the new file in place, unless it is there already.
func (c *cli) putConverted(path string, form keystore.Format, data []byte, want *keystore.Store, pass keystore.Password) error {
	steps := []string{fmt.Sprintf("write %s: %s, %s", path, form, entries(want))}
	old, err := keystore.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if c.flags.dryRun {
			_, err := c.agree("Would convert:", steps, "")
			return err
		}
	case err != nil:
		return keystoreProblem(path, err)
	default:
		if there, err := keystore.Read(old, withKeys(pass, want)); err == nil && there.Format == form && keystore.Same(there, want) {
			return c.converted(path, form, want, false)
		}
		if done, err := c.agree("Would replace a file:", append(steps, "what "+path+" has now is lost"), "Go on?"); done || err != nil {
			return err
		}
	}
	if err := atomicfile.Write(path, data, 0o600); err != nil && !errors.Is(err, atomicfile.ErrNotDurable) {
		if e, ok := errors.AsType[*os.PathError](err); ok {
			err = e.Err
		}
		return problem.New("COT-914", err, "%s", path)
	}
	return c.converted(path, form, want, true)
}

func (c *cli) converted(path string, form keystore.Format, s *keystore.Store, written bool) error {
	text := fmt.Sprintf("Wrote %s: %s, %s.\n", path, form, entries(s))
	if !written {
		text = path + " has these entries already; nothing to do.\n"
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.keystore_convert/v1"},
		{Name: "file", Value: path},
		{Name: "format", Value: string(form)},
		{Name: "written", Value: written},
		{Name: "entries", Value: keystoreRows(s).List()},
	}, text)
}

func entries(s *keystore.Store) string {
	if len(s.Entries) == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", len(s.Entries))
}
