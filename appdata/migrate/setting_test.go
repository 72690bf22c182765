package migrate

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNoPasswordIsToldWithAConnection(t *testing.T) {
	for value, want := range map[string]string{
		"jdbc:postgresql://db1:5432,db2:5432/ucd":           "jdbc:postgresql://db1:5432,db2:5432/ucd",
		"jdbc:postgresql://db/ucd?user=u&password=hush&x=y": "jdbc:postgresql://db/ucd?user=u&password=***&x=y",
		"jdbc:sqlserver://db:1433;user=u;Password=hush":     "jdbc:sqlserver://db:1433;user=u;Password=***",
		"jdbc:oracle:thin:scott/hush@db:1521:ORCL":          "jdbc:oracle:thin:scott/***@db:1521:ORCL",
		"jdbc:mysql://u:hush@db:3306/ucd":                   "jdbc:mysql://u:***@db:3306/ucd",
		"wss://app-a:7919":                                  "wss://app-a:7919",
		"https://deploy.example.org:8443/a@b":               "https://deploy.example.org:8443/a@b",
	} {
		if got := WithoutSecrets(value); got != want {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
}

func TestSettingsAreHeldAgainstThoseOfOtherServers(t *testing.T) {
	settings := []Setting{
		{File: "a.properties", Key: "db", Must: Agree, Not: []string{"jdbc:derby:"}, Why: "one database"},
		{File: "a.properties", Key: "own", Must: Differ, Why: "each its own"},
		{File: "a.properties", Key: "many", Must: Be, Value: "true", Why: "not alone"},
		{File: "key.store", Must: Agree, Why: "one certificate"},
	}
	well := map[string]string{"a.properties#db": "x", "a.properties#own": "1", "a.properties#many": "true", "key.store": "11"}
	with := func(name, value string) map[string]string {
		all := map[string]string{}
		maps.Copy(all, well)
		all[name] = value
		if value == "" {
			delete(all, name)
		}
		return all
	}
	first := Server{Name: "app-a", Values: with("a.properties#own", "0")}
	for name, c := range map[string]struct {
		here  map[string]string
		other map[string]string
		want  string // empty: nothing
		firm  bool
	}{
		"all is well":             {well, first.Values, "", false},
		"another database":        {with("a.properties#db", "y"), first.Values, `"y" here and "x" at app-a: one database`, false},
		"none here":               {with("a.properties#db", ""), first.Values, `not set here and "x" at app-a`, false},
		"none there":              {well, map[string]string{"a.properties#many": "true", "key.store": "11"}, `"x" here and not set at app-a`, false},
		"a database for one":      {with("a.properties#db", "jdbc:Derby:x"), with("a.properties#db", "jdbc:Derby:x"), "no second server can have: one database", true},
		"the same for both":       {with("a.properties#own", "0"), first.Values, `"0" here and at app-a as well: each its own`, true},
		"none of its own":         {with("a.properties#own", ""), first.Values, "not set here, and is at app-a", false},
		"it takes itself for one": {with("a.properties#many", "false"), first.Values, `"false" here, and must be "true"`, false},
		"the first one does":      {well, with("a.properties#many", ""), `not set at app-a, and must be "true" there too`, false},
		"another certificate":     {with("key.store", "22"), first.Values, "key.store is not the one of app-a: one certificate", false},
		"no certificate":          {with("key.store", ""), first.Values, "key.store is absent here and there at app-a", false},
	} {
		found := Judge(settings, c.here, []Server{{Name: "app-a", Values: c.other}})
		// A server that shares all with the other has its own address in common as well.
		var texts []string
		firm := false
		for _, v := range found {
			if v.Setting.Key == "own" && c.want != "" && !strings.Contains(c.want, "own") && !strings.Contains(v.Text, c.want) {
				continue
			}
			texts, firm = append(texts, v.Text), firm || v.Firm
		}
		all := strings.Join(texts, "\n")
		if (c.want == "") != (all == "") || !strings.Contains(all, c.want) || firm != c.firm {
			t.Errorf("%s: got %q, firm %v; want %q, %v", name, all, firm, c.want, c.firm)
		}
		for _, v := range found {
			if strings.Contains(v.Text, "22") || strings.Contains(v.Text, "11") {
				t.Errorf("%s: the digest of a file is shown: %s", name, v.Text)
			}
		}
	}
}

func TestSettingsAreReadWhereverTheyStand(t *testing.T) {
	install := t.TempDir()
	p := Profile{Settings: []Setting{
		{File: "a.properties", Key: "db", Must: Agree, Why: "x"},
		{File: "a.properties", Key: "blank", Must: Agree, Why: "x"},
		{File: "none.properties", Key: "db", Must: Agree, Why: "x"},
		{File: "server.xml", Attribute: "Server/Service/Connector@keyAlias", Must: Agree, Why: "x"},
		{File: "key.store", Must: Agree, Why: "x"},
	}}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(install, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.properties", "db = jdbc:postgresql://u:hush\\u0021@db/x\nblank=\n")
	write("server.xml", `<Server><Service><Connector port="1" keyAlias="a"/><!-- keyAlias="c" --><Connector keyAlias='b'/></Service></Server>`)
	write("key.store", "the key")
	got, err := p.SettingsOf(install, "salt")
	if err != nil {
		t.Fatal(err)
	}
	if got["a.properties#db"] != "jdbc:postgresql://u:***@db/x" || got["server.xml#Server/Service/Connector@keyAlias"] != "a, b" || len(got) != 3 {
		t.Errorf("got %q", got)
	}
	other, err := p.SettingsOf(install, "pepper")
	if err != nil || other["key.store"] == got["key.store"] || len(got["key.store"]) != 64 {
		t.Errorf("the digest of a file is %q with another salt, and was %q, %v", other["key.store"], got["key.store"], err)
	}
	write("server.xml", "<Server><Service>")
	if got, err := p.SettingsOf(install, "salt"); err == nil {
		t.Errorf("a text that ends in its midst is read as %q", got)
	}
}
