//go:build linux

package shares

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/test/cluster"
)

// ucd has a node look at the share as UrbanCode lays it out.
var ucd = []string{"COTERIE_APPDATA_LAYOUT=ucd", "COTERIE_APPDATA_CHECK_EVERY=1s"}

// secured is a cluster whose share has an encryption keystore.
func secured(t *testing.T) (*cluster.Cluster, string) {
	t.Helper()
	c := cluster.Start(t, cluster.Options{})
	a := c.Add("a", cluster.NodeOptions{Env: ucd})
	file := filepath.Join(a.Share(), "conf", "encryption.keystore")
	if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("the key of all"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return c, file
}

// seenFrom is a mount of the cluster's share for one more host.
func seenFrom(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	point := filepath.Join(c.Dir, "mnt")
	if err := os.Mkdir(point, 0o755); err != nil {
		t.Fatal(err)
	}
	bind(t, c.Nodes[0].Share(), point)
	t.Cleanup(func() {
		_ = unix.Unmount(filepath.Join(point, "conf"), unix.MNT_DETACH) // if something lies there still
		_ = unix.Unmount(filepath.Join(point, "conf", "encryption.keystore"), unix.MNT_DETACH)
		unmount(t, point)
	})
	return point
}

// Three hosts see one share, and something lies over one file of it on the third.
func TestANodeThatSeesAnotherEncryptionKeystoreIsNotReady(t *testing.T) {
	mounts(t)
	c, file := secured(t)
	c.Add("b", cluster.NodeOptions{Env: ucd})
	c.Nodes[0].Start()
	c.Nodes[1].Start()
	c.AwaitReady()

	point := seenFrom(t, c)
	other := filepath.Join(c.Dir, "other")
	if err := os.WriteFile(other, []byte("another key"), 0o600); err != nil {
		t.Fatal(err)
	}
	bind(t, other, filepath.Join(point, "conf", "encryption.keystore"))
	begun := time.Now()
	c.Add("c", cluster.NodeOptions{Share: point, Env: ucd}).Start()
	c.Await(`SELECT count(*) = 1 FROM coterie.findings WHERE code = 'COT-930' AND subject = 'c'`)
	t.Logf("named after %v: %s", time.Since(begun).Round(10*time.Millisecond), cluster.Get[string](c, `SELECT text FROM coterie.findings WHERE code = 'COT-930'`))
	c.Await(`SELECT owns_pct = 100 FROM coterie.storages WHERE node = 'c'`) // the share itself is the right one
	c.Elapse(3 * time.Second)
	if got := cluster.Get[string](c, `SELECT string_agg(name || ' ' || state, ', ' ORDER BY name) FROM coterie.nodes`); got != "a ready, b ready, c joining" {
		t.Errorf("got %s\n%s", got, c.Picture())
	}
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.events WHERE kind = 'encryption.first'`); n != 1 {
		t.Errorf("it was seen first %d times", n)
	}
	unmount(t, filepath.Join(point, "conf", "encryption.keystore"))
	c.AwaitReady()
	c.Await(`SELECT count(*) = 0 FROM coterie.findings WHERE code = 'COT-930'`)
	if data, err := os.ReadFile(file); err != nil || string(data) != "the key of all" {
		t.Errorf("it was written: %q, %v", data, err)
	}
}

// Only the folder of the keystores hangs: the node says that its share does, and beats on.
func TestAFrozenEncryptionKeystoreDoesNotHangTheAgent(t *testing.T) {
	mounts(t)
	c, _ := secured(t)
	c.Nodes[0].Start()
	c.AwaitReady()
	point := seenFrom(t, c)
	b := c.Add("b", cluster.NodeOptions{Share: point, Env: append([]string{"COTERIE_KEYSTORE_COPY=conf/server.keystore"}, ucd...)})
	b.Start()
	c.AwaitReady()
	before := threads(t, b)
	end := frozen(t, filepath.Join(point, "conf"))
	begun := time.Now()
	c.Await(`SELECT state = 'HUNG' FROM coterie.storages WHERE node = 'b'`)
	t.Logf("named after %v", time.Since(begun).Round(10*time.Millisecond))
	beats := func() int64 { return cluster.Get[int64](c, `SELECT beats FROM coterie.session WHERE node = 'b'`) }
	was := beats()
	c.Elapse(4 * c.Terms.Heartbeat)
	if now := beats(); now < was+2 {
		t.Errorf("%d heartbeats, then %d", was, now)
	}
	if after := threads(t, b); after > before+3 {
		t.Errorf("%d threads, %d before", after, before)
	}
	end()
	c.Await(`SELECT bool_and(state = 'OK') FROM coterie.storages`)
}

// The folders of one node's keystores are of an export that was made anew: what it sees
// of them is a finding, and no version reaches any node.
func TestAStaleHandleIsToldAndNothingIsPutInPlace(t *testing.T) {
	mounts(t)
	c, _ := secured(t)
	live := filepath.Join(c.Dir, "live")
	pass, admin := filepath.Join(c.Dir, "password"), filepath.Join(c.Dir, "admin.yaml")
	version := "../../keystore/testdata/files/ossl-chain.p12"
	before, err := os.ReadFile("../../keystore/testdata/files/pkcs12-rsa.ks")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(live, 0o755), os.WriteFile(pass, []byte("changeit\n"), 0o600), os.WriteFile(filepath.Join(live, "tomcat.keystore"), before, 0o600)); err != nil {
		t.Fatal(err)
	}
	c.Nodes[0].Start()
	c.AwaitReady()
	point := seenFrom(t, c)
	c.Add("b", cluster.NodeOptions{Share: point, Env: append([]string{"COTERIE_KEYSTORE_FILE=" + filepath.Join(live, "tomcat.keystore")}, ucd...)}).Start()
	c.AwaitReady()
	c.Await(`SELECT count(*) = 2 FROM coterie.keystore_recipients`)
	endShare, endLive := stale(t, filepath.Join(point, "conf")), stale(t, live)
	c.Await(`SELECT count(*) = 1 FROM coterie.findings WHERE code = 'COT-930' AND subject = 'b' AND text LIKE '%stale%'`)
	if state := cluster.Get[string](c, stateOf, "b"); state != "OK" {
		t.Errorf("the share itself is %s", state)
	}
	if out, code := c.Run("-c", admin, "keystore", "stage", version, "--password-file", pass, "-y"); code != 0 {
		t.Errorf("stage: exit code %d: %s", code, out)
	}
	if out, code := c.Run("-c", admin, "keystore", "activate", "-y"); code != 5 || !strings.Contains(out, "COT-923") || !strings.Contains(out, "stale") {
		t.Errorf("exit code %d, want COT-923: %s", code, out)
	}
	endShare()
	endLive()
	c.Await(`SELECT count(*) = 0 FROM coterie.findings WHERE code = 'COT-930'`)
	if data, err := os.ReadFile(filepath.Join(live, "tomcat.keystore")); err != nil || !bytes.Equal(data, before) {
		t.Errorf("it has another file, %v", err)
	}
	if out, code := c.Run("-c", admin, "keystore", "activate", "-y"); code != 0 {
		t.Errorf("afterwards: exit code %d: %s", code, out)
	}
}
