//go:build linux

package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Network is a node's way to the database through namespaces of the kernel: a real
// network, whose packets can get lost. Only root can make one.
type Network struct {
	Name       string // of the namespace, and of the device at this end
	Host, Node string // addresses at either end
}

// ErrNoNetwork says why no network can be made here.
var ErrNoNetwork = errors.New("no network namespaces can be made here")

// NewNetwork makes the nth network of a test, and removes it with the test.
func NewNetwork(t testing.TB, nth int) (*Network, error) {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: only root can", ErrNoNetwork)
	}
	n := &Network{Name: fmt.Sprintf("ct%d-%d", os.Getpid()%100000, nth), Host: fmt.Sprintf("10.213.%d.1", nth), Node: fmt.Sprintf("10.213.%d.2", nth)}
	if err := n.ip("netns", "add", n.Name); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoNetwork, err)
	}
	t.Cleanup(func() {
		if err := n.ip("netns", "del", n.Name); err != nil { // takes the devices along
			t.Error(err)
		}
	})
	for _, args := range [][]string{
		{"link", "add", n.Name, "type", "veth", "peer", "name", "eth0", "netns", n.Name},
		{"addr", "add", n.Host + "/30", "dev", n.Name},
		{"link", "set", n.Name, "up"},
		{"-n", n.Name, "addr", "add", n.Node + "/30", "dev", "eth0"},
		{"-n", n.Name, "link", "set", "eth0", "up"},
		{"-n", n.Name, "link", "set", "lo", "up"},
	} {
		if err := n.ip(args...); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoNetwork, err)
		}
	}
	return n, nil
}

func (n *Network) ip(args ...string) error { return command("ip", args...) }

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// nobody is a device that is not there: packets to it vanish without a word.
const nobody = "02:00:00:00:00:66"

// Mute lets what the node sends vanish.
func (n *Network) Mute() error {
	return n.ip("-n", n.Name, "neigh", "replace", n.Host, "lladdr", nobody, "dev", "eth0", "nud", "permanent")
}

// Deafen lets what is sent to the node vanish.
func (n *Network) Deafen() error {
	return n.ip("neigh", "replace", n.Node, "lladdr", nobody, "dev", n.Name, "nud", "permanent")
}

// Unplug takes the line away: the node's kernel knows that it has none.
func (n *Network) Unplug() error { return n.ip("link", "set", n.Name, "down") }

// Narrow makes the line so narrow that packets queue: each takes some hundred
// milliseconds.
func (n *Network) Narrow() error {
	return command("tc", "qdisc", "replace", "dev", n.Name, "root", "tbf", "rate", "32kbit", "burst", "1600", "latency", "2s")
}

// Mend ends all of that.
func (n *Network) Mend() error {
	// What was not broken cannot be mended, and that is no matter.
	_ = n.ip("-n", n.Name, "neigh", "del", n.Host, "dev", "eth0")
	_ = n.ip("neigh", "del", n.Node, "dev", n.Name)
	_ = command("tc", "qdisc", "del", "dev", n.Name, "root")
	return n.ip("link", "set", n.Name, "up")
}

// Admit lets nodes reach the server through networks: by TLS, for agents trust no
// network with less.
func (c *Cluster) Admit(networks ...*Network) {
	c.t.Helper()
	data := filepath.Join(c.Server.Dir, "data")
	cert, key, err := certificate(networks)
	if err != nil {
		c.t.Fatal(err)
	}
	owner, err := os.Stat(data)
	if err != nil {
		c.t.Fatal(err)
	}
	for name, text := range map[string][]byte{filepath.Join(data, "server.crt"): cert, filepath.Join(data, "server.key"): key, c.roots(): cert} {
		err := os.WriteFile(name, text, 0o600)
		if is, ok := owner.Sys().(*syscall.Stat_t); ok && err == nil && name != c.roots() {
			err = os.Chown(name, int(is.Uid), int(is.Gid))
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	f, err := os.OpenFile(filepath.Join(data, "pg_hba.conf"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	_, err = f.WriteString("hostssl all all 10.213.0.0/16 trust\n")
	if err := errors.Join(err, f.Close()); err != nil {
		c.t.Fatal(err)
	}
	c.Exec(`ALTER SYSTEM SET ssl = on`)
	c.Exec(`SELECT pg_reload_conf()`)
}

// roots is where nodes find the certificate of the server.
func (c *Cluster) roots() string { return filepath.Join(c.Dir, "root.crt") }

// certificate is a server's, for the addresses under which networks reach it.
func certificate(networks []*Network) (cert, key []byte, err error) {
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	for _, n := range networks {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(n.Host))
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &pair.PublicKey, pair)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalECPrivateKey(pair)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), nil
}

// Through makes a node live in a network: it reaches the database there and nothing else.
func (n *Node) Through(w *Network) {
	n.c.t.Helper()
	text, err := os.ReadFile(n.Config())
	if err != nil {
		n.c.t.Fatal(err)
	}
	changed := strings.Replace(string(text), fmt.Sprintf("host=127.0.0.1 port=%d", n.Link.Port), fmt.Sprintf("host=%s port=%d", w.Host, n.c.Server.Port), 1)
	changed = strings.Replace(changed, "sslmode=disable", "sslmode=verify-full sslrootcert="+n.c.roots(), 1)
	if changed == string(text) {
		n.c.t.Fatalf("no address to change in %s", text)
	}
	if err := os.WriteFile(n.Config(), []byte(changed), 0o600); err != nil {
		n.c.t.Fatal(err)
	}
	n.opts.Inside = []string{"ip", "netns", "exec", w.Name}
}
