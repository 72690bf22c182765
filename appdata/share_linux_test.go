package appdata

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	ourID   = "5f0c7a52-8b7e-4f5e-9f58-0f4e1b6f2a11"
	theirID = "0a9d8c1e-1111-4222-8333-444455556666"
)

// ours makes a share of our cluster in a fresh folder.
func ours(t *testing.T) Share {
	t.Helper()
	return oursAt(t, t.TempDir())
}

func oursAt(t *testing.T, dir string) Share {
	t.Helper()
	mark(t, dir, ourID, 1)
	return Share{Path: dir, Cluster: "deploy-prod", ID: ourID, Generation: 1, Node: "app-a"}
}

func mark(t *testing.T, dir, id string, generation int64) {
	t.Helper()
	name := map[string]string{ourID: "deploy-prod", theirID: "deploy-test"}[id]
	if err := CreateMarker(dir, Marker{Cluster: name, ID: id, Generation: generation, Created: time.Unix(1_700_000_000, 0).UTC()}); err != nil {
		t.Fatal(err)
	}
}

func probe(t *testing.T, s Share) Condition {
	t.Helper()
	c, err := s.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantState(t *testing.T, c Condition, state State, reason string) {
	t.Helper()
	if c.State != state || c.Reason != reason {
		t.Errorf("got %s %q\nwant %s %q", c.State, c.Reason, state, reason)
	}
}

// inNamespace runs the test again in a process that has its own mounts, so
// that it may mount what it likes and leaves nothing behind. Where the kernel
// or a container forbids that even to a user namespace, nothing can stand in
// for a mount, and the test is skipped with the reason.
func inNamespace(t *testing.T) (inside bool) {
	t.Helper()
	if os.Getenv("COTERIE_TEST_INSIDE") == t.Name() {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatalf("%s: %v", noMounts, err)
		}
		return true
	}
	var refused []string
	for _, attr := range []*syscall.SysProcAttr{
		{Cloneflags: syscall.CLONE_NEWNS},
		{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		},
	} {
		out, err := rerun(t, attr)
		var started *exec.ExitError
		switch {
		case err == nil:
			return false
		case errors.As(err, &started) && !strings.Contains(out, noMounts):
			t.Fatalf("inside: %v\n%s", err, out)
		}
		refused = append(refused, err.Error())
	}
	if os.Getenv("COTERIE_CI") != "" {
		t.Fatalf("this machine lets us mount nothing: %s", strings.Join(refused, "; "))
	}
	t.Skipf("NOT TESTED: this machine lets us mount nothing: %s", strings.Join(refused, "; "))
	return false
}

const noMounts = "no mounts of our own"

// asNobody runs the test again as a user who owns nothing.
func asNobody(t *testing.T) (inside bool) {
	t.Helper()
	if os.Getenv("COTERIE_TEST_INSIDE") == t.Name() || os.Getuid() != 0 {
		return true
	}
	if out, err := rerun(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}); err != nil {
		t.Fatalf("inside: %v\n%s", err, out)
	}
	return false
}

func rerun(t *testing.T, attr *syscall.SysProcAttr) (string, error) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "COTERIE_TEST_INSIDE="+t.Name(), "TMPDIR=/tmp", "GOCOVERDIR=")
	cmd.Dir = "/"
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mount(t *testing.T, fstype, target, options string) {
	t.Helper()
	if err := unix.Mount("none", target, fstype, 0, options); err != nil {
		t.Fatalf("mount %s on %s: %v", fstype, target, err)
	}
}

// names lists everything below dir, for tests that want nothing left behind.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			found = append(found, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
