package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/problem"
)

// examineSettings holds what nodes have told of their application's settings against one
// another, as far as the profile is one that this program knows. Of a file that is
// compared as a whole only those who tell their own see whether it is the same.
func (c *cli) examineSettings(ctx context.Context, cmd *cobra.Command, s *checks) error {
	k, err := c.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer k.db.Close()
	rows, err := k.rows(ctx, "app_settings", `ORDER BY v.product COLLATE "C", v.node COLLATE "C"`)
	if err != nil {
		return err
	}
	told := map[string][]migrate.Server{}
	var products []string
	for i := range rows.Len() {
		r := rows.Row(i)
		product, node := r.Text("product"), r.Text("node")
		if !slices.Contains(products, product) {
			products = append(products, product)
		}
		all := told[product]
		if len(all) == 0 || all[len(all)-1].Name != node {
			all = append(all, migrate.Server{Name: node, Values: map[string]string{}})
		}
		value, _ := r.Value("value").(string) // null: of a file
		all[len(all)-1].Values[r.Text("name")] = value
		told[product] = all
	}
	for _, product := range products {
		profile, err := migrate.ProfileOf(product)
		if err != nil || len(told[product]) < 2 {
			continue // a profile of somebody's own, or a server alone
		}
		if said := contradictions(profile.Settings, told[product]); len(said) > 0 {
			p := problem.New("COT-319", nil, "settings of %s do not fit together: %s", product, strings.Join(said, "; "))
			p.Remedy, p.Exit = "on each of these nodes: coterie appdata settings INSTALLATION", problem.ExitDegraded
			s.found("settings", "warning", p)
			continue
		}
		s.well("settings", "those of %s fit together on %d nodes", product, len(told[product]))
	}
	return nil
}

// contradictions says which settings of several servers do not fit together, and at which
// of them; values are not shown.
func contradictions(settings []migrate.Setting, servers []migrate.Server) []string {
	var said []string
	for _, s := range settings {
		var at []string
		add := func(node string) {
			if !slices.Contains(at, node) {
				at = append(at, node)
			}
		}
		one, lone := []migrate.Setting{s}, false
		for i, here := range servers {
			if len(migrate.Judge(one, here.Values, nil)) > 0 { // whoever else there is
				add(here.Name)
				lone = s.Must != migrate.Be
			}
			for _, other := range servers[i+1:] {
				if s.Must != migrate.Be && len(migrate.Judge(one, here.Values, []migrate.Server{other})) > 0 {
					add(here.Name)
					add(other.Name)
				}
			}
		}
		if len(at) == 0 {
			continue
		}
		name := s.Key
		if name == "" {
			name = s.Name()
		}
		slices.Sort(at)
		how := "is not the same"
		switch {
		case s.Must == migrate.Be:
			how = fmt.Sprintf("is not %q", s.Value)
		case lone:
			how = "is what only a lone server can have"
		case s.Must == migrate.Differ:
			how = "is the same, or missing,"
		}
		said = append(said, fmt.Sprintf("%s %s at %s", name, how, strings.Join(at, ", ")))
	}
	return said
}
