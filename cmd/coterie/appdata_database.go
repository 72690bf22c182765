package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/sql/schema"
)

func (c *cli) appdataDatabase() *cobra.Command {
	var v installation
	var jdbc string
	within := 10 * time.Second
	cmd := &cobra.Command{
		Use:   "database INSTALLATION",
		Short: "Prove that the application's connection leads to ours",
		Long: `Writes a word to the cluster's database, reads it where the connection of the
application leads, with this node's own login, and says how long that took. The
words that other nodes have left are looked for there too: where all nodes read
all words, their applications share one database. Another database, a copy, or
one that only follows the right one is COT-321. PostgreSQL alone can be asked;
the URL is that of the profile's setting, or of --url.`,
		Example: `  coterie appdata database /opt/ibm-ucd/server
  coterie appdata database /opt/appboard --url jdbc:postgresql://db1:5432/portal`,
		Args: one("INSTALLATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			v.path = args[0]
			if err := v.find(); err != nil {
				return err
			}
			if jdbc == "" {
				var err error
				if jdbc, err = v.migrateProfile.DatabaseURL(v.path); err != nil {
					return err
				}
			}
			if jdbc == "" {
				return usageProblem("where its database is stands nowhere that profile %s knows", v.migrateProfile.Name).hint("", "--url jdbc:postgresql://HOST:PORT/DATABASE")
			}
			to, err := parseJDBC(jdbc)
			if err != nil {
				return problem.New("COT-401", nil, "%s: %v", migrate.WithoutSecrets(jdbc), err)
			}
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.proveDatabase(ctx, k, to, within)
		},
	}
	f := cmd.Flags()
	f.StringVar(&v.profile, "profile", "", "`NAME` or file of the profile (default: found out)")
	f.StringVar(&jdbc, "url", "", "`URL` of the application's database (default: as it is set)")
	f.DurationVar(&within, "within", within, "how long a word may take to be seen")
	return cmd
}

// destination is where a connection of an application leads.
type destination struct{ hosts, ports, database, sslmode string }

func (d destination) String() string { return d.hosts + " " + d.ports + " " + d.database }

// parseJDBC reads jdbc:postgresql://HOST:PORT,HOST:PORT/DATABASE?sslmode=MODE.
func parseJDBC(text string) (destination, error) {
	rest, ok := strings.CutPrefix(text, "jdbc:postgresql:")
	if !ok {
		return destination{}, fmt.Errorf("not of PostgreSQL, and no other can be asked")
	}
	d := destination{hosts: "localhost", ports: "5432", database: rest}
	rest, query, _ := strings.Cut(rest, "?")
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		var found bool
		if authority, d.database, found = strings.Cut(authority, "/"); !found || authority == "" {
			return d, fmt.Errorf("names no host and database")
		}
		var hosts, ports []string
		for one := range strings.SplitSeq(authority[strings.LastIndexByte(authority, '@')+1:], ",") {
			host, port, err := net.SplitHostPort(one)
			if err != nil {
				host, port = strings.Trim(one, "[]"), "5432"
			}
			hosts, ports = append(hosts, host), append(ports, port)
		}
		d.hosts, d.ports = strings.Join(hosts, ","), strings.Join(ports, ",")
	} else {
		d.database = rest
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return d, fmt.Errorf("its parameters cannot be read")
	}
	d.sslmode = values.Get("sslmode")
	if d.database, err = url.PathUnescape(d.database); err != nil || d.database == "" {
		return d, fmt.Errorf("names no database")
	}
	return d, nil
}

// dsn is this node's own connection string, led to where the application's leads.
func (d destination) dsn(own string) string {
	words := [][2]string{{"host", d.hosts}, {"port", d.ports}, {"dbname", d.database}}
	if d.sslmode != "" {
		words = append(words, [2]string{"sslmode", d.sslmode})
	}
	if u, err := url.Parse(own); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		q := u.Query()
		for _, w := range words {
			q.Set(w[0], w[1])
		}
		u.Host, u.Path, u.RawQuery = "", "", q.Encode()
		return u.String()
	}
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, w := range words {
		own += " " + w[0] + "='" + quote.Replace(w[1]) + "'"
	}
	return own
}

const (
	appWordSQL  = `SELECT coterie.app_word($1, $2)`
	appWordsSQL = `SELECT DISTINCT ON (e.node) e.node, e.id FROM coterie.events e WHERE e.kind = 'app.word' ORDER BY e.node, e.id DESC`
	appSeenSQL  = `SELECT EXISTS (SELECT FROM coterie.events e WHERE e.id = $1 AND e.kind = 'app.word' AND e.node = $2)`
)

type appWord struct {
	Node string
	ID   int64
}

func (c *cli) proveDatabase(ctx context.Context, k *cluster, to destination, within time.Duration) error {
	o := c.options(k.cfg)
	o.DSN = to.dsn(o.DSN)
	there, err := schema.Open(ctx, o)
	if err != nil {
		return problem.New("COT-321", nil, "%s cannot be asked with this node's own login: %v", to, asProblem(err))
	}
	defer there.Close()
	var theirs []string
	if err := there.SelectContext(ctx, &theirs, `SELECT id FROM coterie.clusters`); err != nil {
		return problem.New("COT-321", nil, "%s has no cluster in it: %v", to, err)
	}
	var follows bool
	if err := there.GetContext(ctx, &follows, `SELECT pg_is_in_recovery()`); err != nil {
		return err
	}
	begun := time.Now()
	own := appWord{Node: k.cfg.Node.Name}
	if err := k.command(ctx, &own.ID, appWordSQL, own.Node, caller()); err != nil {
		return err
	}
	seen, err := awaitWord(ctx, there, own, begun.Add(within))
	if err != nil {
		return err
	}
	took := time.Since(begun).Round(100 * time.Microsecond)
	var words []appWord
	if err := k.db.SelectContext(ctx, &words, appWordsSQL); err != nil {
		return err
	}
	var also, missing []string
	for _, w := range words {
		if w.Node == own.Node {
			continue
		}
		if read, err := awaitWord(ctx, there, w, time.Now()); err != nil {
			return err
		} else if read {
			also = append(also, w.Node)
		} else {
			missing = append(missing, w.Node)
		}
	}
	return c.provedDatabase(to, seen, follows, took, also, missing)
}

// awaitWord looks for a word until it is there, or that instant has come; once at least.
func awaitWord(ctx context.Context, db *sqlx.DB, w appWord, until time.Time) (bool, error) {
	for {
		var seen bool
		if err := db.GetContext(ctx, &seen, appSeenSQL, w.ID, w.Node); err != nil || seen {
			return seen, err
		}
		if time.Now().After(until) {
			return false, nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return false, err
		}
	}
}

func (c *cli) provedDatabase(to destination, seen, follows bool, took time.Duration, also, missing []string) error {
	text := fmt.Sprintf("%s is the cluster's database: a word was read there after %v.\n", to, took)
	if len(also) > 0 {
		text += "Read there too, of other nodes: " + strings.Join(also, ", ") + "\n"
	}
	well := seen && !follows && len(missing) == 0
	if !well {
		text = ""
	}
	doc := table.Document{
		{Name: "schema", Value: "coterie.app_database/v1"}, {Name: "leads_to", Value: to.String()}, {Name: "ok", Value: well}, {Name: "seen", Value: seen},
		{Name: "seen_after", Value: took}, {Name: "follows", Value: follows}, {Name: "read_of", Value: also}, {Name: "not_read_of", Value: missing},
	}
	if err := c.document(doc, text); err != nil {
		return err
	}
	switch {
	case !seen:
		return problem.New("COT-321", nil, "%s: a word that was written to the cluster's database was not read there within %v", to, took)
	case follows:
		return problem.New("COT-321", nil, "%s follows the cluster's database (a word came after %v), and cannot be written", to, took)
	case len(missing) > 0:
		return problem.New("COT-321", nil, "%s: not read there are the words of %s", to, strings.Join(missing, ", "))
	}
	return nil
}
