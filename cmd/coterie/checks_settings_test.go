package main

import (
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/appdata/migrate"
)

func TestContradictionsNameTheSettingAndTheNodes(t *testing.T) {
	settings := []migrate.Setting{
		{File: "p", Key: "url", Must: migrate.Agree, Not: []string{"jdbc:derby:"}, Why: "one"},
		{File: "p", Key: "own", Must: migrate.Differ, Why: "each"},
		{File: "p", Key: "many", Must: migrate.Be, Value: "true", Why: "not alone"},
		{File: "k", Must: migrate.Agree, Why: "one"},
	}
	server := func(name, url, own, many string, file bool) migrate.Server {
		s := migrate.Server{Name: name, Values: map[string]string{"p#url": url, "p#own": own, "p#many": many}}
		if file {
			s.Values["k"] = "" // what it has is not shown
		}
		return s
	}
	for name, c := range map[string]struct {
		servers []migrate.Server
		want    string
	}{
		"well": {[]migrate.Server{server("a", "u", "1", "true", true), server("b", "u", "2", "true", true), server("c", "u", "3", "true", true)}, ""},
		"all wrong": {
			[]migrate.Server{server("a", "u", "1", "true", true), server("b", "v", "1", "false", true), server("c", "u", "3", "true", false)},
			`url is not the same at a, b, c; own is the same, or missing, at a, b; many is not "true" at b; k is not the same at a, b, c`,
		},
		"of a lone server": {[]migrate.Server{server("a", "jdbc:derby:x", "1", "true", true), server("b", "jdbc:derby:x", "2", "true", true)}, "url is what only a lone server can have at a, b"},
	} {
		if got := strings.Join(contradictions(settings, c.servers), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
