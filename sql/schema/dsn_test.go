package schema

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"
)

var (
	exported = cmp.FilterPath(func(p cmp.Path) bool {
		f, ok := p.Last().(cmp.StructField)
		return ok && strings.ToLower(f.Name()[:1]) == f.Name()[:1]
	}, cmp.Ignore())
	addresses = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
)

func TestARenderedConfigurationIsReadBackAsItWas(t *testing.T) {
	for _, dsn := range []string{
		"host=/var/run/postgresql dbname=deploy user=u",
		`host=db1,db2 port=5433,5434 dbname=deploy user=u password='it\'s \\ strange' sslrootcert='/etc/a b/root.crt'`,
		"postgres://u:p%40ss@db1/deploy?sslmode=verify-full&sslsni=0&application_name=x&work_mem=4MB",
		"hostaddr=10.0.0.1,10.0.0.2 host=db1,db2 dbname=deploy user=u connect_timeout=7",
	} {
		cfg, err := Options{DSN: dsn}.config()
		if err != nil {
			t.Fatalf("%s: %v", dsn, err)
		}
		back, err := pq.NewConfig(render(cfg))
		if err != nil {
			t.Fatalf("%s: %v", dsn, err)
		}
		if diff := cmp.Diff(cfg, back, exported, addresses); diff != "" {
			t.Errorf("%s:\n%s", dsn, diff)
		}
	}
}
