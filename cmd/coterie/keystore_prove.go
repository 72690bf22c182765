package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/keystore"
)

// proving is what coterie keystore prove was asked for.
type proving struct {
	host, fingerprint, name string
	version                 int64
}

// handshakeTime is how long a server may take to show its certificate.
const handshakeTime = 10 * time.Second

var fingerprintRule = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })

func (c *cli) keystoreProve() *cobra.Command {
	var v proving
	cmd := &cobra.Command{
		Use:   "prove ADDRESS",
		Short: "Prove by a handshake which certificate a server shows",
		Long: `Asks the server at ADDRESS (host:port) which certificate it shows, and compares
that with the newest version of the keystore, with another version, or with a
fingerprint; for that no database is needed. Exit code 3 if it is another.`,
		Example: `  coterie keystore prove app-a.example.org:8443
  coterie keystore prove 10.0.0.7:8443 --host app.example.org --version 3
  coterie keystore prove 127.0.0.1:8443 --fingerprint SHA256`,
		Args: one("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			return c.prove(ctx, cmd, args[0], v)
		},
	}
	cmd.Flags().StringVar(&v.host, "host", "", "`NAME` that is asked for (default: that of the address)")
	cmd.Flags().StringVar(&v.fingerprint, "fingerprint", "", "`SHA256` of the certificate that is expected")
	cmd.Flags().StringVar(&v.name, "name", usualKeystore, "`NAME` of the keystore")
	cmd.Flags().Int64Var(&v.version, "version", 0, "`NUMBER` of the version (default: the newest)")
	return cmd
}

func (c *cli) prove(ctx context.Context, cmd *cobra.Command, address string, v proving) error {
	want, whose := strings.ToLower(strings.ReplaceAll(v.fingerprint, ":", "")), "the fingerprint"
	if want != "" && !fingerprintRule().MatchString(want) {
		return usageProblem("%q is not the SHA-256 of a certificate", v.fingerprint).hint("", "64 hexadecimal digits, as coterie keystore show -o wide prints them")
	}
	if want == "" {
		var err error
		if want, whose, err = c.expected(ctx, cmd, v); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	chain, err := keystore.Shown(ctx, address, v.host)
	if err != nil {
		return problem.New("COT-921", nil, "%v", err)
	}
	got := chain[0].Fingerprint()
	err = c.document(table.Document{
		{Name: "schema", Value: "coterie.keystore_prove/v1"},
		{Name: "address", Value: address},
		{Name: "ok", Value: got == want},
		{Name: "served_fingerprint", Value: got},
		{Name: "fingerprint", Value: want},
		{Name: "subject", Value: chain[0].X509.Subject.String()},
		{Name: "not_after", Value: chain[0].X509.NotAfter.UTC().Format(time.RFC3339)},
		{Name: "chain", Value: len(chain)},
	}, fmt.Sprintf("%s shows %s, valid until %s, SHA-256 %s.\n", address, table.Safe(chain[0].X509.Subject.String()), chain[0].X509.NotAfter.UTC().Format("2006-01-02"), got))
	if err != nil {
		return err
	}
	if got != want {
		return problem.New("COT-920", nil, "%s does not show %s: that is %s", address, whose, want)
	}
	c.say("That is %s.", whose)
	return nil
}

const versionSQL = `SELECT version, fingerprint FROM coterie.keystores WHERE name = $1 AND (version = $2 OR $2 = 0) ORDER BY version DESC LIMIT 1`

// expected is the certificate of a version.
func (c *cli) expected(ctx context.Context, cmd *cobra.Command, v proving) (fingerprint, whose string, err error) {
	k, err := c.open(ctx, cmd)
	if err != nil {
		return "", "", err
	}
	defer k.db.Close()
	var found []struct {
		Version     int64
		Fingerprint string
	}
	if err := k.db.SelectContext(ctx, &found, versionSQL, v.name, v.version); err != nil {
		return "", "", fmt.Errorf("read the version of %s: %w", v.name, err)
	}
	if len(found) == 0 {
		return "", "", noVersion(v.name, v.version)
	}
	return found[0].Fingerprint, fmt.Sprintf("version %d of %s", found[0].Version, v.name), nil
}
