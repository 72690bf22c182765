package config

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestThePageOfKeysIsCurrent(t *testing.T) {
	const page = "../../docs/configuration.md"
	got := markdown()
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/configuration.md is not current (make generate):\n%s", diff)
	}
}

func markdown() string {
	var b strings.Builder
	b.WriteString(`<!-- Generated from internal/config by its test; do not edit. -->

# Configuration

A value comes from the first of these that has it: a flag, the environment, the
file, the default. database.pool_size is set by --database-pool-size or
COTERIE_DATABASE_POOL_SIZE; what may hold a secret has no flag. The file is the one of ` + "`-c`" + ` or ` + "`$COTERIE_CONFIG`" + `, or else the
first that exists of ` + "`/etc/coterie/coterie.yaml`" + ` and
` + "`$XDG_CONFIG_HOME/coterie/coterie.yaml`" + `. An empty variable counts as unset; a list
in a variable is written with commas. What must be equal on all nodes is not
here but in the database.

` + "`coterie config check`" + ` tells everything that is wrong at once,
` + "`coterie config show --origin`" + ` where each value comes from, and
` + "`coterie config explain KEY`" + ` what is written here. A key that is not in the table is an error.

` + "```yaml\n" + example + "```" + `

| key | type | default | variable | meaning |
|---|---|---|---|---|
`)
	for _, k := range Keys() {
		initial := k.Default
		if k.Needed {
			initial = "**needed**"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Name, k.Type, initial, code(k.Env()), k.Meaning)
	}
	return b.String()
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
