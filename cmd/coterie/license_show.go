package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/license"
)

func (c *cli) licenseShow() *cobra.Command {
	return c.view(&cobra.Command{
		Use:   "show [POOL]",
		Short: "Show the pools of seats: entitled, in use, peak",
		Example: `  coterie license show
  coterie license show floating -o json`,
		Args:              perhapsOne("POOL"),
		ValidArgsFunction: c.completePools,
	}, func(ctx context.Context, k *cluster, args []string) error {
		condition, values := "ORDER BY v.pool", []any{}
		if len(args) > 0 {
			condition, values = "WHERE v.pool = $1", []any{args[0]}
		}
		rows, err := k.rows(ctx, "license_pools", condition, values...)
		if err != nil {
			return err
		}
		if len(args) > 0 && rows.Len() == 0 {
			return k.noPool(ctx, args[0])
		}
		if err := c.show(rows, poolFields()...); err != nil || len(args) == 0 || !c.plain() {
			return err
		}
		if err := c.showEntitlements(ctx, k, args[0]); err != nil {
			return err
		}
		return c.showRules(ctx, k, args[0])
	})
}

func poolFields() []table.Field {
	return []table.Field{
		table.Column("POOL", "pool"),
		table.Column("KIND", "kind"),
		table.Number("ENTITLED", "entitled"),
		table.Number("IN USE", "in_use"),
		table.Number("OVER", "overdraft"),
		table.Number("EXCESS", "excess").AsWide(),
		table.Number("FREE", "free"),
		table.Number("USED %", "used_pct"),
		table.Number("PEAK", "peak_today"),
		table.Number("DENIED", "denied_24h"),
		table.Column("BY NODE", "by_node").AsWide(),
		table.Number("ON SEVERAL", "on_several_nodes").AsWide(),
		table.Number("ESCROW", "escrowed").AsWide(),
	}
}

// showEntitlements shows where the seats come from, and whether each file's
// signature is that of a key which this node trusts.
func (c *cli) showEntitlements(ctx context.Context, k *cluster, pool string) error {
	rows, err := k.rows(ctx, "license_files", "WHERE v.pool = $1 ORDER BY v.serial", pool)
	if err != nil || rows.Len() == 0 {
		return err
	}
	if err := c.print("\n"); err != nil {
		return err
	}
	keys, err := trustedKeys(k.cfg.License.TrustedKeys)
	if err != nil {
		return err
	}
	return rows.Write(c.out, table.Table, table.Sheet{Width: c.width(), Indent: 2, Fields: []table.Field{
		{Title: "FILE", Show: func(r table.Row) string {
			if serial := r.Text("serial"); serial != "" {
				return serial
			}
			return "plain"
		}},
		table.Number("SEATS", "seats"),
		table.Column("BEGINS", "begins_at"),
		table.Column("ENDS", "ends_at"),
		table.Column("BOUND TO", "addresses"),
		{Title: "SIGNATURE", Show: func(r table.Row) string { return signatureState(r, keys) }},
	}})
}

func signatureState(r table.Row, keys []ed25519.PublicKey) string {
	if r.Text("serial") == "" {
		return "none: an operator's word"
	}
	if license.Verify(r.Text("document"), r.Text("signature"), keys) == nil {
		return "ok, key " + r.Text("signed_by")
	}
	return "not of a key that this node trusts"
}

// showRules shows by which rules a pool gives its seats, and to whom.
func (c *cli) showRules(ctx context.Context, k *cluster, pool string) error {
	rows, err := k.rows(ctx, "license_rules", "WHERE v.name = $1", pool)
	if err != nil || rows.Len() == 0 {
		return err
	}
	r := rows.Row(0)
	lines, err := rulesOf(r)
	if err != nil {
		return fmt.Errorf("read the rules of %s: %w", pool, err)
	}
	text := []string{"", "  " + c.folded(strings.Join(saidOf(r), ", "), 2)}
	for _, line := range lines {
		text = append(text, "  "+c.folded(line, 4))
	}
	return c.print(strings.Join(text, "\n") + "\n")
}

// saidOf says in words what holds for everybody.
func saidOf(r table.Row) []string {
	said := []string{"shared by " + r.Text("shared_by")}
	if !r.Bool("enforced") {
		said = append(said, "nothing is refused")
	}
	if r.Text("domains") == "strip" {
		said = append(said, "domains do not count")
	}
	for _, w := range []struct{ column, text string }{
		{"weight", "%d seats for one checkout"}, {"overdraft", "overdraft %d"}, {"overdraft_percent", "overdraft %d %%"},
		{"max_per_user", "at most %d of a user"}, {"least", "at least %d when all is well"}, {"escrow", "%d kept by each node"},
	} {
		if n := r.Int(w.column); n > 1 || n == 1 && w.column != "weight" {
			said = append(said, fmt.Sprintf(w.text, n))
		}
	}
	for _, w := range []struct{ column, text string }{
		{"linger", "lingers "}, {"idle", "idles out after "}, {"cooldown", "a removed name cools for "}, {"grace", "grace "},
	} {
		if d, ok := r.Duration(w.column); ok && d > 0 {
			said = append(said, w.text+table.Duration(d))
		}
	}
	return said
}

// rulesOf has a line for each whom a rule names, and for the named users.
func rulesOf(r table.Row) (lines []string, err error) {
	var rules []license.Rule
	groups := map[string][]string{}
	if err := errors.Join(json.Unmarshal([]byte(r.Text("rules")), &rules), json.Unmarshal([]byte(r.Text("groups")), &groups)); err != nil {
		return nil, err
	}
	for _, rule := range rules {
		var what []string
		if rule.Reserved > 0 {
			what = append(what, fmt.Sprintf("%d reserved", rule.Reserved))
		}
		if rule.Most != nil {
			what = append(what, fmt.Sprintf("at most %d", *rule.Most))
		}
		if text := map[string]string{"include": "only who is included gets seats", "exclude": "gets none"}[rule.Access]; text != "" {
			what = append(what, text)
		}
		line := fmt.Sprintf("%s %s: %s", rule.Subject, rule.Name, strings.Join(what, ", "))
		if rule.Subject == "group" {
			line += " (" + strings.Join(groups[rule.Name], ", ") + ")"
		}
		lines = append(lines, line)
	}
	if names, _ := r.Value("names").([]string); len(names) > 0 || r.Text("kind") == "named" {
		lines = append(lines, "named: "+orNobody(names))
	}
	if cooling, _ := r.Value("names_cooling").([]string); len(cooling) > 0 {
		lines = append(lines, "removed, and still in a place: "+strings.Join(cooling, ", "))
	}
	return lines, nil
}

func trustedKeys(texts []string) (keys []ed25519.PublicKey, err error) {
	for i, text := range texts {
		key, err := license.ParseKey(text)
		if err != nil {
			return nil, problem.New("COT-210", err, "license.trusted_keys[%d]", i)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
