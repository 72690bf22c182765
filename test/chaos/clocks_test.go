//go:build linux

package chaos

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// skewEnv says by how many seconds a program's wall clock is wrong. Every five
// seconds it steps to the other side.
const skewEnv = "TRIAL_SKEW"

// skewCode is added to Go's own package time.
const skewCode = `
var skew = func() (n int64) {
	text, _ := syscall.Getenv("` + skewEnv + `")
	for _, c := range text {
		if '0' <= c && c <= '9' {
			n = 10*n + int64(c-'0')
		}
	}
	if text != "" && text[0] == '-' {
		n = -n
	}
	return n
}()

func skewed(mono int64) int64 {
	if mono/5e9%2 == 1 {
		return -skew
	}
	return skew
}
`

// Nobody's wall clock decides anything: hosts whose clocks are wrong by an hour,
// and step again and again, behave like others.
func TestNodesWhoseClocksAreWrongKeepTheirPromises(t *testing.T) {
	if *duration < 30*time.Second {
		t.Skip("NOT RUN: Go's own library is compiled anew for it, which takes minutes: -duration 30s or longer")
	}
	t.Logf("again with: go test ./test/chaos -run %s -duration %v -seed %d", t.Name(), *duration, *seed)
	h, found := trial{program: skewedProgram(t), seed: *seed, lasts: *duration / 4, terms: usual, skewed: true}.run(t)
	for _, v := range found {
		t.Error(v)
	}
	t.Logf("%d faults, %d events, %d testimonies", len(h.Faults), len(h.Events), len(h.Testimonies))
	if least := int(*duration / (10 * time.Second)); len(h.Faults) < least || len(h.Testimonies) < 100 {
		t.Errorf("too little happened: %d faults, %d testimonies", len(h.Faults), len(h.Testimonies))
	}
}

// skewedProgram is coterie, built with a package time whose wall clock is wrong.
func skewedProgram(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	lib, dir := filepath.Join(strings.TrimSpace(string(out)), "src", "time"), t.TempDir()
	replace := map[string]string{}
	for name, change := range map[string]func(string) string{
		"time.go": func(s string) string {
			const now = "	sec, nsec, mono := runtimeNow()\n	if mono == 0 {"
			return strings.Replace(s, now, "	sec, nsec, mono := runtimeNow()\n	sec += skewed(mono)\n	if mono == 0 {", 1)
		},
		"zoneinfo_unix.go": func(s string) string { return s + skewCode },
	} {
		text, err := os.ReadFile(filepath.Join(lib, name))
		if err != nil {
			t.Fatal(err)
		}
		changed := change(string(text))
		if changed == string(text) {
			t.Fatalf("%s has no place for the change", name)
		}
		replace[filepath.Join(lib, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(replace[filepath.Join(lib, name)], []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	doc, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := cluster.Build(dir, overlay)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// wrongClocks looks into what agents wrote: their clocks are wrong indeed.
func wrongClocks(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	for i, n := range c.Nodes {
		text, err := os.ReadFile(n.LogFile())
		if err != nil {
			t.Fatal(err)
		}
		stamp := regexp.MustCompile(`time=(\S+)`).FindSubmatch(text)
		if stamp == nil {
			t.Fatalf("%s says no time: %s", n.Name, text)
		}
		at, err := time.Parse(time.RFC3339Nano, string(stamp[1]))
		if err != nil {
			t.Fatal(err)
		}
		if off := time.Since(at).Abs(); i < 2 && off < 30*time.Minute {
			t.Fatalf("%s is only %v off: this proves nothing", n.Name, off)
		}
	}
}
