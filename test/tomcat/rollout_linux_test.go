package tomcat

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/test/cluster"
)

func TestMain(m *testing.M) { cluster.Main(m) }

var (
	rollouts   = flag.Int("rollouts", 3, "versions that are brought to three Tomcats while clients call them")
	handshakes = flag.Int64("handshakes", 300, "full handshakes that clients make meanwhile, at least")
	kills      = flag.Int("kills", 4, "rollouts in which an agent, a host, a Tomcat or PostgreSQL is killed")
)

// fresh is a keystore with a new key, and its certificate's fingerprint.
func fresh(t *testing.T, n int) ([]byte, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(int64(n) + 1), Subject: pkix.Name{CommonName: fmt.Sprintf("version %d", n)}, DNSNames: []string{"app.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := keystore.Certificate{DER: der}
	data, err := keystore.Write(&keystore.Store{Entries: []keystore.Entry{{Alias: "tomcat", Kind: keystore.Key, Key: pkcs8, Chain: []keystore.Certificate{cert}}}}, keystore.PKCS12, "changeit")
	if err != nil {
		t.Fatal(err)
	}
	return data, cert.Fingerprint()
}

// New versions come to three Tomcats while clients begin sessions with them all the
// time: no client is refused, and each server shows the new certificate at once.
func TestNoHandshakeFailsWhileVersionsAreRolledOut(t *testing.T) {
	f := newFarm(t)
	var shaken, failed atomic.Int64
	var clients sync.WaitGroup
	stop := make(chan struct{})
	going := func() bool {
		select {
		case <-stop:
			return false
		default:
			return true
		}
	}
	for _, i := range f.nodes {
		clients.Go(func() {
			for going() {
				if _, err := leaf(t.Context(), i.port); err != nil {
					failed.Add(1)
					t.Logf("port %d: %v", i.port, err)
					continue
				}
				shaken.Add(1)
			}
		})
	}
	var took []time.Duration
	var last string
	for len(took) < *rollouts || shaken.Load() < *handshakes && failed.Load() == 0 {
		fingerprint := f.stage()
		last = fingerprint
		if out, code := f.Run("-c", f.admin, "keystore", "activate", "-y"); code != 0 {
			t.Fatalf("activate: exit code %d: %s\n%s", code, out, f.Picture())
		}
		// From the moment that it was asked for until all have proved it.
		took = append(took, time.Duration(cluster.Get[float64](f.Cluster, `SELECT extract(epoch FROM took) FROM coterie.keystore_rollouts ORDER BY id DESC LIMIT 1`)*float64(time.Second)))
		for _, i := range f.nodes {
			if got, err := leaf(t.Context(), i.port); err != nil || got != fingerprint {
				t.Errorf("%s shows %.16s after it proved %.16s: %v", i.Name, got, fingerprint, err)
			}
		}
	}
	f.refused(last)
	close(stop)
	clients.Wait()
	slices.Sort(took)
	t.Logf("%d rollouts to %d Tomcats, from the order to the last proof: median %v, 99th percentile %v, most %v; %d of %d handshakes failed",
		len(took), len(f.nodes), took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), failed.Load(), shaken.Load()+failed.Load())
	if failed.Load() > 0 {
		t.Errorf("%d handshakes failed", failed.Load())
	}
}

// refused brings a version that Tomcat cannot take up: the first that tries has back
// what it had, and the others never had anything else.
func (f *farm) refused(last string) {
	f.t.Helper()
	f.stageForeign()
	if out, code := f.Run("-c", f.admin, "keystore", "activate", "-y"); code != 1 || !strings.Contains(out, "COT-924") || strings.Contains(out, "the others follow") {
		f.t.Errorf("a password that Tomcat does not have: exit code %d: %s", code, out)
	}
	for _, i := range f.nodes {
		if got, err := leaf(f.t.Context(), i.port); err != nil || got != last {
			f.t.Errorf("%s shows %.16s after it went back to %.16s: %v", i.Name, got, last, err)
		}
	}
}

// files are all that have a version.
func (f *farm) files() []string {
	files := []string{f.copy}
	for _, i := range f.nodes {
		files = append(files, i.file)
	}
	return files
}

// watch reads the files all the time: what has the name is whole.
func (f *farm) watch(stop <-chan struct{}) {
	known := map[string]bool{f.first: true}
	for {
		select {
		case <-stop:
			return
		case <-time.After(200 * time.Microsecond):
		}
		for _, file := range f.files() {
			data, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) && file == f.copy {
				continue // no version has been the active one yet
			}
			if err != nil {
				f.t.Errorf("%v", err)
				return
			}
			sum := digest(data)
			if known[sum] {
				continue
			}
			if _, err := keystore.Read(data, keystore.Passwords{Store: "changeit"}); err != nil {
				f.t.Errorf("%s has %d bytes and is not whole: %v", file, len(data), err)
				return
			}
			known[sum] = true
		}
	}
}

// Whoever is killed while a version is on its way: one version is active, all nodes
// have it, and no file was ever half of one.
func TestAfterAnyKillAllNodesHaveTheActiveVersion(t *testing.T) {
	f := newFarm(t)
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { f.watch(stop) })
	var slowest time.Duration
	ends := map[string]int{}
	for round := range *kills {
		f.stage()
		if out, code := f.Run("-c", f.admin, "keystore", "activate", "-y", "--wait", "0", "--patience", "5s"); code != 0 {
			t.Fatalf("round %d: exit code %d: %s", round, code, out)
		}
		time.Sleep(mathrand.N(600 * time.Millisecond))
		f.hurt(round)
		begun := time.Now()
		f.together(round)
		slowest = max(slowest, time.Since(begun))
		ends[cluster.Get[string](f.Cluster, `SELECT phase FROM coterie.keystore_rollouts ORDER BY id DESC LIMIT 1`)]++
	}
	close(stop)
	watching.Wait()
	begun := time.Now()
	f.Await(`SELECT count(*) = count(*) FILTER (WHERE f.ok) FROM coterie.keystores k LEFT JOIN coterie.keystore_files f ON f.name = k.name WHERE k.state = 'active'`)
	if active := cluster.All[string](f.Cluster, `SELECT sha256 FROM coterie.keystores WHERE state = 'active'`); len(active) == 1 {
		if data, err := os.ReadFile(f.copy); err != nil || digest(data) != active[0] {
			t.Errorf("the share's copy is another, %v", err)
		}
	}
	t.Logf("the share's copy is the active version after %v", time.Since(begun).Round(time.Millisecond))
	t.Logf("%d kills, rollouts that ended so: %v; all nodes alike after %v at most", *kills, ends, slowest.Round(time.Millisecond))
}

// hurt kills somebody, and starts him again at once, as a service manager does.
func (f *farm) hurt(round int) {
	f.t.Helper()
	i := f.nodes[mathrand.N(len(f.nodes))]
	switch round % 4 {
	case 0:
		i.Signal(i.Agent(), syscall.SIGKILL)
		i.Reaped()
		i.Node.Start()
	case 1:
		i.KillHost()
		i.Node.Start()
	case 2:
		i.server.end()
		i.boot(f.t)
	case 3:
		if err := f.Server.Restart(f.t.Context(), pgserver.Immediate); err != nil {
			f.t.Fatal(err)
		}
	}
}

// mostApart is how long nodes may differ once everything is up again.
const mostApart = 10 * time.Second

// together waits until every node serves the version that is active.
func (f *farm) together(round int) {
	f.t.Helper()
	wrong := ""
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if wrong = f.apart(); wrong == "" {
			return
		}
		if time.Since(begun) > mostApart {
			break
		}
	}
	var logs strings.Builder
	for _, i := range f.nodes {
		text, err := os.ReadFile(i.LogFile())
		fmt.Fprintf(&logs, "%s: %s, %v\n", i.Name, text[max(0, len(text)-2000):], err)
	}
	f.t.Fatalf("round %d: after %v: %s\n%s\n%s", round, mostApart, wrong, f.Picture(), logs.String())
}

// apart tells in what nodes differ, by their files and their servers themselves.
func (f *farm) apart() string {
	var active []struct {
		SHA256, Fingerprint string
		Open                bool
	}
	err := f.DB.SelectContext(f.t.Context(), &active, `
		SELECT sha256, fingerprint, EXISTS (SELECT FROM coterie.keystore_rollouts WHERE ended_at IS NULL) AS open FROM coterie.keystores WHERE state = 'active'`)
	switch {
	case err != nil:
		return err.Error() // a session of it was killed with the server
	case len(active) > 1:
		f.t.Fatalf("%d versions are active", len(active))
	case len(active) == 0:
		open := 0
		if err := f.DB.GetContext(f.t.Context(), &open, `SELECT count(*) FROM coterie.keystore_rollouts WHERE ended_at IS NULL`); err != nil || open > 0 {
			return fmt.Sprintf("a rollout is open: %v", err)
		}
	case active[0].Open:
		return "a rollout is open"
	}
	for _, i := range f.nodes {
		data, err := os.ReadFile(i.file)
		if err != nil {
			return err.Error()
		}
		shown, err := leaf(f.t.Context(), i.port)
		switch {
		case err != nil:
			return err.Error()
		case len(active) == 0 && digest(data) != f.first:
			return i.Name + " has a version, and none is active"
		case len(active) == 1 && digest(data) != active[0].SHA256:
			return i.Name + " has another file"
		case len(active) == 1 && shown != active[0].Fingerprint:
			return i.Name + " shows another certificate"
		}
	}
	return ""
}
