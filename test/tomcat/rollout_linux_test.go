package tomcat

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/keystore"
)

var rollouts = flag.Int("rollouts", 8, "certificates that are rolled out to three Tomcats")

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

// instance is a Tomcat with its keystore.
type instance struct {
	*server
	file string
	port int
}

// New keystores are put in place of three Tomcats while clients begin sessions with
// them all the time: no client is refused, and each server shows the new certificate.
func TestNoHandshakeFailsWhileKeystoresAreReplaced(t *testing.T) {
	path := compiled(t, classpath(t))
	first, _ := fresh(t, 0)
	var nodes []instance
	for _, port := range freePorts(t, 3) {
		file := filepath.Join(t.TempDir(), "tomcat.keystore")
		if err := os.WriteFile(file, first, 0o600); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, instance{start(t, path, fmt.Sprintf("%d\t%s\tpkcs12\tchangeit\t\ttomcat\n\n", port, file)), file, port})
	}
	ctx, stop := context.WithCancel(t.Context())
	var shaken, failed atomic.Int64
	var clients sync.WaitGroup
	for _, n := range nodes {
		clients.Go(func() {
			for ctx.Err() == nil {
				if _, err := leaf(ctx, n.port); err == nil {
					shaken.Add(1)
				} else if ctx.Err() == nil {
					failed.Add(1)
					t.Logf("port %d: %v", n.port, err)
				}
			}
		})
	}
	var took []time.Duration
	for i := range *rollouts {
		data, fingerprint := fresh(t, i+1)
		begun := time.Now()
		rollOut(t, nodes, data, fingerprint)
		took = append(took, time.Since(begun))
	}
	stop()
	clients.Wait()
	slices.Sort(took)
	t.Logf("%d rollouts to %d Tomcats, each proved by handshake: median %v, 99th percentile %v, most %v; %d of %d handshakes failed",
		len(took), len(nodes), took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), failed.Load(), shaken.Load()+failed.Load())
	if failed.Load() > 0 || shaken.Load() < int64(*rollouts) {
		t.Errorf("%d handshakes failed, %d did not", failed.Load(), shaken.Load())
	}
}

// rollOut puts a keystore in place on all nodes at once, has it reloaded, and waits
// for the proof.
func rollOut(t *testing.T, nodes []instance, data []byte, fingerprint string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			if err := atomicfile.Write(n.file, data, 0o600); err != nil {
				t.Error(err)
				return
			}
			if err := n.reload(); err != nil {
				t.Error(err)
				return
			}
			if err := keystore.Serves(ctx, fmt.Sprintf("127.0.0.1:%d", n.port), "", fingerprint); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
