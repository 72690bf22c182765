package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/properties"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/keystore/place"
)

// usualProperty is how UrbanCode's server names the alias of its key.
const usualProperty = "tomcat.key.alias"

// placing is what coterie keystore place was asked for.
type placing struct {
	name, properties, property string
	version                    int64
	hosts                      []string
	reload, user, password     string
	prove                      string
}

func (c *cli) keystorePlace() *cobra.Command {
	var v placing
	cmd := &cobra.Command{
		Use:   "place FILE",
		Short: "Put a version of the keystore in place on this node",
		Long: `Opens a version with this node's own key, looks again whether a server would
take it, and replaces FILE at once; owner, mode and SELinux label stay. With
--properties the alias is written into that file as well, and no other byte of
it changes. What is in place already is left alone.

The server takes the file up when it is started again, or with --reload, which
asks Tomcat's manager. With --prove a handshake must then show the version's
certificate. When either fails, what was there before is put back and reloaded.`,
		Example: `  coterie keystore place /opt/tomcat/conf/tomcat.keystore -n
  coterie keystore place tomcat.keystore --properties installed.properties -y
  coterie keystore place tomcat.keystore -y --prove 127.0.0.1:8443 \
      --reload http://127.0.0.1:8080/manager/text/sslReload \
      --reload-user deployer --reload-password-file F
  coterie keystore place tomcat.keystore --version 3 -y        back to version 3`,
		Args: one("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.place(ctx, k, args[0], v)
		},
	}
	cmd.Flags().StringVar(&v.name, "name", usualKeystore, "`NAME` of the keystore")
	cmd.Flags().Int64Var(&v.version, "version", 0, "`NUMBER` of the version (default: the newest)")
	cmd.Flags().StringVar(&v.properties, "properties", "", "`FILE` of the server that names the alias, such as installed.properties")
	cmd.Flags().StringVar(&v.property, "property", usualProperty, "`KEY` in it")
	cmd.Flags().StringSliceVar(&v.hosts, "host", nil, "`NAMES` by which clients call this node")
	cmd.Flags().StringVar(&v.reload, "reload", "", "`URL` of the manager's sslReload, which is asked afterwards")
	cmd.Flags().StringVar(&v.user, "reload-user", "", "`USER` of the manager, with the role manager-script")
	cmd.Flags().StringVar(&v.password, "reload-password-file", "", "`FILE` with that user's password")
	cmd.Flags().StringVar(&v.prove, "prove", "", "`ADDRESS` (host:port) that must show the certificate afterwards")
	return cmd
}

func (c *cli) place(ctx context.Context, k *cluster, path string, v placing) error {
	if v.prove != "" && v.reload == "" {
		return usageProblem("--prove needs --reload: without it the server shows what it had").hint("", "See: coterie keystore place --help")
	}
	b, version, err := k.openVersion(ctx, v.name, v.version)
	if err != nil {
		return err
	}
	fingerprint, err := c.stillFit(ctx, k, b, v)
	if err != nil {
		return err
	}
	up, err := c.uptake(v, fingerprint)
	if err != nil {
		return err
	}
	steps, err := placeSteps(path, b, version, v)
	if err != nil {
		return err
	}
	if len(steps) > 0 {
		if done, err := c.agree("Would put in place:", told(steps), "Go on?"); done || err != nil {
			return err
		}
	}
	if err := up.carryOut(ctx, steps); err != nil {
		return err
	}
	return c.placed(path, b, version, v, steps)
}

// openVersion opens a version by the identity of this node.
func (k *cluster) openVersion(ctx context.Context, name string, version int64) (keystore.Bundle, int64, error) {
	var none keystore.Bundle
	newest, err := keyring.FindNewest(ctx, k.db, name)
	if err != nil {
		return none, 0, err
	}
	if version == 0 {
		version = newest.Version.Int64
	}
	if version < 1 || version > newest.Version.Int64 {
		return none, 0, noVersion(name, version)
	}
	identity, err := coordinator.FindIdentity(k.cfg.Node.StateDir)
	if err != nil {
		return none, 0, problem.New("COT-919", err, "%s cannot open keystores here", k.cfg.Node.Name)
	}
	opener, err := keystore.NodeOpener(k.cfg.Node.Name, identity.Key)
	if err != nil {
		return none, 0, err
	}
	var id string
	if err := k.db.GetContext(ctx, &id, `SELECT id FROM coterie.clusters`); err != nil {
		return none, 0, fmt.Errorf("read the cluster's id: %w", err)
	}
	content, own, err := keyring.Fetch(ctx, k.db, name, version, k.cfg.Node.Name)
	if errors.Is(err, keyring.ErrClosed) {
		return none, 0, problem.New("COT-916", nil, "version %d of %s is not sealed to %s yet", version, name, k.cfg.Node.Name)
	}
	if err != nil {
		return none, 0, err
	}
	b, err := opener.Open(keystore.Place{Cluster: id, Name: name, Version: version}, content, own)
	return b, version, sealProblem(err)
}

// sealProblem gives what does not open its code.
func sealProblem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keystore.ErrNewer):
		return problem.New("COT-935", nil, "%v", err)
	}
	return problem.New("COT-916", nil, "%v", err)
}

// stillFit looks at the version as a server would: it may have been staged long ago.
// It returns the fingerprint of the certificate that is to be served.
func (c *cli) stillFit(ctx context.Context, k *cluster, b keystore.Bundle, v placing) (string, error) {
	s, err := keystore.Read(b.File, b.Passwords())
	if err != nil {
		return "", keystoreProblem("the version", err)
	}
	newest, err := keyring.FindNewest(ctx, k.db, v.name)
	if err != nil {
		return "", err
	}
	e, err := c.fit("the version", s, keystore.Want{Alias: b.Alias, Hosts: v.hosts, Now: newest.Now})
	return e.Facts().Fingerprint, err
}

func told(steps []place.Change) []string {
	var lines []string
	for _, s := range steps {
		lines = append(lines, s.What)
	}
	return lines
}

// placeSteps are what differs. The keystore comes first: a server that is started in
// between has the old alias, which a new version usually still has.
func placeSteps(path string, b keystore.Bundle, version int64, v placing) ([]place.Change, error) {
	steps, err := place.FileChange(path, b.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, problem.New("COT-914", nil, "%s: its folder is not there", path)
	case err != nil:
		return nil, keystoreProblem(path, err)
	case len(steps) > 0:
		steps[0].What += fmt.Sprintf(": version %d of %s", version, v.name)
	}
	if v.properties == "" {
		return steps, nil
	}
	alias, err := place.AliasChange(v.properties, v.property, b.Alias)
	if errors.Is(err, properties.ErrNot) {
		return nil, problem.New("COT-914", nil, "%v", err)
	}
	return append(steps, alias...), err
}

func (c *cli) placed(path string, b keystore.Bundle, version int64, v placing, steps []place.Change) error {
	files := []string{}
	for _, s := range steps {
		files = append(files, s.Path)
	}
	text := fmt.Sprintf("%s has version %d of %s; nothing to do.\n", path, version, v.name)
	if len(steps) > 0 {
		text = fmt.Sprintf("Put version %d of %s in place: %s.\n", version, v.name, orNobody(files))
	}
	switch {
	case v.prove != "":
		c.say("%s shows its certificate.", v.prove)
	case len(steps) > 0 && v.reload == "":
		c.say("The server takes it up when it reloads its keystore, or is started again.")
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.keystore_place/v1"},
		{Name: "file", Value: path},
		{Name: "name", Value: v.name},
		{Name: "version", Value: version},
		{Name: "alias", Value: b.Alias},
		{Name: "written", Value: files},
		{Name: "proved", Value: v.prove != ""},
	}, text)
}
