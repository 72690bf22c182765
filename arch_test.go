package coterie_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/coterie-ha/coterie"

// A listed package, as go list shows it.
type listed struct {
	ImportPath   string
	Dir          string
	Name         string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// name is the import path within the module; "" is the root.
func (p listed) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// house lists the packages of the module for each platform that has files of
// its own.
func house(t *testing.T) []listed {
	t.Helper()
	var all []listed
	for _, goos := range []string{"linux", "darwin", "windows"} {
		// -e: libraries that only another platform needs may not be here.
		list := exec.CommandContext(t.Context(), "go", "list", "-e", "-json", "./...")
		list.Env = append(list.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
		var stderr bytes.Buffer
		list.Stderr = &stderr
		out, err := list.Output()
		if err != nil {
			t.Fatalf("go list for %s: %v\n%s", goos, err, &stderr)
		}
		for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
			var p listed
			if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
	}
	return all
}

// mayImport says which packages of ours a package may import; "*" is all but
// cmd. A package without a line has no place in the house yet: draw it here and
// in doc.go.
var mayImport = map[string][]string{
	"":                        {},
	"leases":                  {},
	"leases/leasesim":         {"leases"},
	"leases/leasesim/mutants": {"test/mutants"},
	"leases/upheaval":         {"leases", "appdata"},
	"coordinator":             {"leases", "internal/atomicfile"},
	"coordinator/failover":    {"leases"},
	"coordinator/manifest":    {"appdata"},
	"coordinator/supervisor":  {"coordinator/supervisor/fork"},

	"coordinator/supervisor/fork": {},

	"coordinator/attest":  {"appdata"},
	"coordinator/console": {"internal/problem"},
	"coordinator/keyring": {"keystore/rollout"},
	"coordinator/vouch":   {"keystore/trust"},
	"coordinator/loans":   {"leases", "internal/answer"},
	"jobs":                {"leases"},
	"jobs/upkeep":         {"keystore", "internal/atomicfile"},
	"license":             {"leases", "internal/answer"},
	"appdata":             {"internal/atomicfile", "appdata/smb"},
	"appdata/smb":         {},
	"appdata/worker":      {"appdata", "appdata/migrate"},
	"appdata/migrate":     {"appdata", "internal/atomicfile", "internal/properties"},
	"appdata/bundle":      {"appdata", "internal/atomicfile"},
	"appdata/mirror":      {"appdata", "internal/atomicfile"},
	"keystore":            {"internal/atomicfile"},
	"keystore/place":      {"keystore", "internal/atomicfile", "internal/properties"},
	"keystore/rollout":    {},
	"keystore/trust":      {"keystore", "internal/atomicfile"},
	"sql/schema":          {},
	"sql/pgserver":        {},
	"sql/sqltest":         {"sql/schema", "sql/pgserver"},
	"internal/answer":     {},
	"internal/atomicfile": {},
	"internal/config":     {},
	"internal/demo":       {"*"},
	"internal/problem":    {},
	"internal/properties": {},
	"internal/table":      {},
	"cmd/coterie":         {"*"},

	"deploy/examples/licenses/go": {},

	"test/chaos":   {"*"},
	"test/cluster": {"*"},
	"test/migrate": {"*"},

	"test/migrate/through": {},

	"test/figures":   {"*"},
	"test/identity":  {"*"},
	"test/keytool":   {"*"},
	"test/mutants":   {},
	"test/nobody":    {},
	"test/pooler":    {"*"},
	"test/policies":  {"*"},
	"test/seats":     {"*"},
	"test/served":    {"keystore"},
	"test/tomcat":    {"*"},
	"test/shares":    {"*"},
	"test/trust":     {"*"},
	"test/keystores": {"*"},
	"test/bundle":    {"*"},
	"test/slots":     {"*"},

	"test/shares/rig":      {"*"},
	"test/shares/rig/tool": {"appdata/smb"},
	"test/shares/faulty":   {},
}

// In tests a package may also start a real database and act on its schema, and call
// where nobody is.
var testsMayImport = []string{"sql/sqltest", "sql/schema", "sql/pgserver", "test/nobody"}

// onlyIn says which packages may import something that is dangerous or that we
// want to be able to replace. Commands of other programs start where their
// process tree is minded.
var onlyIn = map[string][]string{
	"github.com/spf13/viper":                     {"internal/config"},
	"github.com/go-viper/mapstructure/v2":        {"internal/config"},
	"go.yaml.in/yaml/v3":                         {"internal/config", "internal/table", "jobs", "appdata/migrate", "cmd/coterie"},
	"github.com/robfig/cron/v3":                  {"jobs"},
	"github.com/fsnotify/fsnotify":               {"appdata"},
	"github.com/spf13/cobra":                     {"cmd/coterie"},
	"github.com/spf13/pflag":                     {"internal/config", "cmd/coterie"},
	"github.com/prometheus/client_golang":        {"coordinator/console", "cmd/coterie"},
	"os/exec":                                    {"jobs", "jobs/upkeep", "coordinator/failover", "coordinator/supervisor", "appdata/worker", "sql/pgserver", "internal/demo", "test/cluster", "test/migrate/through", "test/shares/faulty", "test/shares/rig", "test/shares/rig/tool"},
	"github.com/anishathalye/porcupine":          {"test/chaos"},
	"github.com/google/go-cmp":                   {},
	"github.com/rogpeppe/go-internal":            {},
	"pgregory.net/rapid":                         {},
	"github.com/stretchr/testify":                {},
	"net/http/pprof":                             {},
	"unsafe":                                     {"coordinator/supervisor/fork", "appdata/smb"},
	"log":                                        {},
	"math/rand":                                  {},
	"io/ioutil":                                  {},
	"github.com/pkg/errors":                      {},
	"github.com/golang-migrate/migrate/v4":       {},
	"github.com/fergusstrange/embedded-postgres": {},
}

// What knows no database: what these find leaves as values.
var knowNoDatabase = []string{"appdata", "appdata/smb", "keystore", "jobs/upkeep", "coordinator/console", "coordinator/supervisor", "internal/config", "internal/problem", "internal/atomicfile"}

var databases = []string{"database/sql", "github.com/jmoiron/sqlx", "github.com/lib/pq"}

// Names that say nothing about what is in the room.
var emptyNames = []string{"util", "utils", "helper", "helpers", "common", "base", "manager", "managers", "service", "services", "data", "info", "misc", "sql"}

func TestEachPackageImportsOnlyWhatItMay(t *testing.T) {
	told := map[string]bool{} // once, not once for each platform
	for _, p := range house(t) {
		for _, wrong := range trespasses(p) {
			if !told[wrong] {
				t.Error(wrong)
			}
			told[wrong] = true
		}
	}
}

// trespasses are the rules that a package breaks.
func trespasses(p listed) []string {
	var wrong []string
	tell := func(format string, args ...any) {
		wrong = append(wrong, p.name()+" "+fmt.Sprintf(format, args...))
	}
	allowed, known := mayImport[p.name()]
	if !known && p.name() != "tools" {
		tell("has no line in mayImport (arch_test.go)")
	}
	if len(p.GoFiles) > 0 && p.Name != "main" && slices.Contains(emptyNames, path.Base(p.name())) {
		tell("has a name that does not say what it gives")
	}
	for _, imported := range p.Imports {
		if ours, ok := strings.CutPrefix(imported, module+"/"); ok && !permits(allowed, ours) {
			tell("imports %s, which it may not", ours)
		}
		for guarded, rooms := range onlyIn {
			library := strings.Contains(guarded, ".") // and all its packages
			if (imported == guarded || library && within(imported, guarded)) && !slices.Contains(rooms, p.name()) {
				tell("imports %s, which only %v may", imported, rooms)
			}
		}
		for _, blind := range knowNoDatabase {
			if within(p.name(), blind) && slices.ContainsFunc(databases, func(db string) bool { return within(imported, db) }) {
				tell("imports %s, but knows no database", imported)
			}
		}
	}
	for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
		ours, ok := strings.CutPrefix(imported, module+"/")
		if ok && ours != p.name() && !permits(allowed, ours) && !slices.Contains(testsMayImport, ours) {
			tell("imports %s in a test, which it may not", ours)
		}
	}
	return wrong
}

func permits(allowed []string, ours string) bool {
	if slices.Contains(allowed, "*") {
		return !within(ours, "cmd")
	}
	return slices.Contains(allowed, ours)
}

// within tells whether a path is the other or lies below it.
func within(path, above string) bool {
	return path == above || strings.HasPrefix(path, above+"/")
}

// The rules themselves, each broken once.
func TestTheRulesAreKept(t *testing.T) {
	ours := func(names ...string) []string {
		for i := range names {
			names[i] = module + "/" + names[i]
		}
		return names
	}
	room := func(name string) listed {
		return listed{ImportPath: module + "/" + name, Name: path.Base(name), GoFiles: []string{"x.go"}}
	}
	for name, change := range map[string]func() listed{
		"the kernel imports one of ours": func() listed { p := room("leases"); p.Imports = ours("jobs"); return p },
		"somebody imports cmd":           func() listed { p := room("internal/demo"); p.Imports = ours("cmd/coterie"); return p },
		"viper outside its package":      func() listed { p := room("jobs"); p.Imports = []string{"github.com/spf13/viper"}; return p },
		"a part of a library":            func() listed { p := room("jobs"); p.Imports = []string{"github.com/google/go-cmp/cmp"}; return p },
		"a program started anywhere":     func() listed { p := room("leases"); p.Imports = []string{"os/exec"}; return p },
		"a database in appdata":          func() listed { p := room("appdata/worker"); p.Imports = []string{"database/sql"}; return p },
		"a package nobody drew":          func() listed { return room("coordinator/gossip") },
		"a room called util":             func() listed { return room("internal/util") },
		"a test reaches across":          func() listed { p := room("leases"); p.TestImports = ours("jobs"); return p },
	} {
		if len(trespasses(change())) == 0 {
			t.Errorf("%s, and nothing is told", name)
		}
	}
	fine := room("jobs")
	fine.Imports = append(ours("leases"), "github.com/robfig/cron/v3", "os/exec", "database/sql")
	fine.XTestImports = append(ours("jobs", "sql/sqltest"), "github.com/google/go-cmp/cmp")
	if wrong := trespasses(fine); len(wrong) > 0 {
		t.Errorf("told without a reason: %v", wrong)
	}
}
