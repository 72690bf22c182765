//go:build linux

package rig

import (
	"testing"

	"github.com/coterie-ha/coterie/test/cluster"
)

func TestMain(m *testing.M) { cluster.Main(m) }

// Kernels' own clients of NFS and SMB, each in a guest.
func TestRealKernels(t *testing.T) {
	short := Wanted(t, "all", "short")
	t.Parallel() // those of user space mostly wait
	program, err := cluster.Build(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	r := New(t, program)
	clients := [2]*Guest{r.Start(t, "a", GuestOptions{}), r.Start(t, "b", GuestOptions{})}
	server := r.Start(t, "s", GuestOptions{Disk: true})
	for _, g := range []*Guest{clients[0], clients[1], server} {
		g.Await(t)
	}
	// Guests mostly wait, so the short form has both at once; figures are not made so.
	beside := func(t *testing.T) {
		if short {
			t.Parallel()
		}
	}
	t.Run("NFS", func(t *testing.T) {
		beside(t)
		c := cluster.Start(t, cluster.Options{Program: program, Terms: emulated})
		s := newSuite(t, c, r.NFS(t, c, server, clients), short)
		t.Run("WrongMountsAreNamed", func(t *testing.T) {
			marked(t, s, "squashed", "readonly", "small")
			misuse(t, s, wrongNFS)
		})
		s.conform(t)
	})
	t.Run("SMB", func(t *testing.T) {
		beside(t)
		c := cluster.Start(t, cluster.Options{Program: program, Terms: emulated})
		s := newSuite(t, c, r.SMB(t, c, clients, server), short)
		t.Run("WrongMountsAreNamed", func(t *testing.T) { misuse(t, s, wrongSMB) })
		s.conform(t)
	})
}

// File systems of user space, two mounts on this machine for two hosts.
func TestFUSE(t *testing.T) {
	short := Wanted(t, "all", "quick")
	t.Parallel()
	program, err := cluster.Build(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	r := &Rig{dir: t.TempDir()}
	r.Tool = r.dir + "/rig"
	BuildTool(t, r.Tool)
	for name, mount := range map[string]func(testing.TB, *cluster.Cluster) Export{"sshfs": r.SSHFS, "GlusterFS": r.Gluster} {
		t.Run(name, func(t *testing.T) {
			if short && name != "sshfs" {
				t.Skip("NOT TESTED: make test-shares does")
			}
			t.Parallel() // sshfs mostly waits for its client
			if short {
				mount = r.QuickSSHFS
			}
			c := cluster.Start(t, cluster.Options{Program: program})
			newSuite(t, c, mount(t, c), short).conform(t)
		})
	}
}
