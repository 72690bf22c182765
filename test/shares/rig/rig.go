//go:build linux

package rig

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/test/cluster"
)

// Required names the environment's variable that says what is to run: nothing
// when it is empty, "quick" what CI runs (sshfs alone, in a minute), "short" the
// kernels' own clients, "all" everything. What is asked for and cannot run is a failure.
const Required = "COTERIE_SHARES"

const emulator = "qemu-system-x86_64"

// Rig is what guests are made of.
type Rig struct {
	Tool string // the program of ./tool

	dir       string
	kernel    string
	initramfs string
}

// Wanted says whether something is asked for that one of the forms has, and whether in
// short; it skips the test when it is not.
func Wanted(t testing.TB, forms ...string) (short bool) {
	t.Helper()
	form := os.Getenv(Required)
	if form == "" || !slices.Contains(forms, form) {
		t.Skipf("NOT TESTED: this is of make test-shares with SHARES=%s", strings.Join(forms, " or "))
	}
	return form != "all"
}

// Need fails the test when a program is missing that it runs.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("NOT TESTED, and asked for: %s is not here; deploy/install-shares.sh installs it", p)
		}
	}
}

// New builds what guests start from. Its files go with the test.
func New(t testing.TB, program string) *Rig {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Fatalf("NOT TESTED, and asked for: the guests are amd64, this machine is %s", runtime.GOARCH)
	}
	Need(t, emulator, "mkfs.ext4")
	dir, err := os.MkdirTemp("", "coterie-rig-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	r := &Rig{dir: dir, Tool: filepath.Join(dir, "rig"), initramfs: filepath.Join(dir, "initramfs")}
	modules := ""
	if r.kernel, modules, err = kernel(); err != nil {
		t.Fatalf("NOT TESTED, and asked for: %v", err)
	}
	BuildTool(t, r.Tool)
	out, err := os.Create(r.initramfs)
	if err != nil {
		t.Fatal(err)
	}
	err = pack(out, modules, map[string]string{"init": r.Tool, "bin/rig": r.Tool, "bin/coterie": program})
	if err = errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	return r
}

// BuildTool builds the program of ./tool.
func BuildTool(t testing.TB, to string) {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", to, "./test/shares/rig/tool")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the tool: %v\n%s", err, text)
	}
}

// kernel finds the kernel that deploy/install-shares.sh has unpacked, and its modules.
func kernel() (file, modules string, err error) {
	root, err := cluster.Root()
	if err != nil {
		return "", "", err
	}
	place := filepath.Join(root, ".tools", "rig")
	found, err := filepath.Glob(filepath.Join(place, "boot", "vmlinuz-*"))
	if err != nil {
		return "", "", err
	}
	if len(found) == 0 {
		return "", "", errors.New("no kernel for guests is in .tools/rig; deploy/install-shares.sh brings it")
	}
	file = found[len(found)-1]
	version, _ := strings.CutPrefix(filepath.Base(file), "vmlinuz-")
	return file, filepath.Join(place, "lib", "modules", version), nil
}
