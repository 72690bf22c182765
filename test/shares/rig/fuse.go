//go:build linux

package rig

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/test/cluster"
)

// local is what file systems by FUSE have in common: two mounts of one folder on
// this machine stand for two hosts. mount starts the file system's own process.
func (r *Rig) local(t testing.TB, c *cluster.Cluster, kind string, mount func(t testing.TB, export, place string) program) Export {
	t.Helper()
	e := Export{Kind: kind, Server: r.here("server", shared(c))}
	seed(t, c, e.Server)
	var at [2]*program
	for i := range e.Sides {
		e.Sides[i] = r.here([]string{"a", "b"}[i], mountPoint(t, c, i))
	}
	e.Mount = func(_ testing.TB, side int, export string) error {
		place := e.Sides[side].Path
		for unix.Unmount(place, unix.MNT_DETACH) == nil { // whatever lies over another
		}
		if at[side] != nil {
			at[side].end()
			at[side] = nil
		}
		if export == "" {
			return nil
		}
		p := mount(t, export, place) // ends with the whole test
		at[side] = &p
		return awaitMount(t, place)
	}
	e.Cut = func(t testing.TB) func() {
		a, b := at[0].freeze(t), at[1].freeze(t)
		return func() { a(); b() }
	}
	return e
}

func mountPoint(t testing.TB, c *cluster.Cluster, n int) string {
	t.Helper()
	place := filepath.Join(c.Dir, fmt.Sprintf("mount%d", n))
	if err := os.MkdirAll(place, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for unix.Unmount(place, unix.MNT_DETACH) == nil {
		}
	})
	return place
}

// SSHFS is SFTP without the encryption around it: each mount has a server of its
// own at the other end of a pipe.
func (r *Rig) SSHFS(t testing.TB, c *cluster.Cluster) Export {
	t.Helper()
	return r.sshfs(t, c, 20*time.Second, "allow_other") // the default of dcache_timeout
}

// QuickSSHFS is one that remembers for a second.
func (r *Rig) QuickSSHFS(t testing.TB, c *cluster.Cluster) Export {
	t.Helper()
	return r.sshfs(t, c, time.Second, "allow_other,dcache_timeout=1,dcache_stat_timeout=1,dcache_dir_timeout=1,dcache_link_timeout=1,entry_timeout=1,attr_timeout=1")
}

func (r *Rig) sshfs(t testing.TB, c *cluster.Cluster, late time.Duration, options string) Export {
	t.Helper()
	Need(t, "sshfs", sftpServer)
	e := r.local(t, c, "sshfs", func(t testing.TB, export, place string) program {
		return begin(t, filepath.Join(c.Dir, "sshfs.out"), nil, "sshfs", "-f", "-o", "ssh_command="+r.Tool+" sftp,"+options, "host:"+filepath.Join(c.Dir, export), place)
	})
	e.Late = late
	return e
}

const sftpServer = "/usr/lib/openssh/sftp-server"

// SMBNet is smbnetfs, which reaches servers at port 445 alone, and shows all of them below
// one mount: what it has of an export is bound to where the share is to be.
func (r *Rig) SMBNet(t testing.TB, c *cluster.Cluster) Export {
	t.Helper()
	Need(t, "smbnetfs")
	const host = "127.0.0.1"
	if l, err := net.Listen("tcp", net.JoinHostPort(host, "445")); err != nil {
		t.Skipf("NOT TESTED: smbnetfs wants a server at port 445: %v", err)
	} else if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	e := r.local(t, c, "smbnetfs", func(t testing.TB, export, place string) program {
		whole := place + "-whole"
		if err := os.MkdirAll(whole, 0o755); err != nil {
			t.Fatal(err)
		}
		p := begin(t, filepath.Join(c.Dir, "smbnetfs.out"), []string{"HOME=" + c.Dir}, "smbnetfs", "-f", "-o", "allow_other", whole)
		t.Cleanup(func() {
			for unix.Unmount(whole, unix.MNT_DETACH) == nil {
			}
		})
		if err := awaitMount(t, whole); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(filepath.Join(whole, host, export), place, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		return p
	})
	own := filepath.Join(c.Dir, ".smb")
	if err := os.MkdirAll(own, 0o700); err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(own, "smbnetfs.conf"), "smb_query_browsers \"false\"\ninclude \"smbnetfs.auth\"\ninclude \"smbnetfs.host\"\n")
	writeText(t, filepath.Join(own, "smbnetfs.auth"), fmt.Sprintf("auth \"root\" %q\n", sambaPassword))
	writeText(t, filepath.Join(own, "smbnetfs.host"), "host "+host+" visible=true\n")
	writeText(t, filepath.Join(own, "smb.conf"), "[global]\nclient min protocol = SMB2\n")
	startSamba(t, c.Dir, host, 445)
	return e
}

// Gluster is a brick and its clients, by volume files: no daemon manages them.
func (r *Rig) Gluster(t testing.TB, c *cluster.Cluster) Export {
	t.Helper()
	Need(t, "glusterfs", "glusterfsd")
	own := filepath.Join(c.Dir, "gluster")
	var ports = map[string]int{}
	brick := func(t testing.TB, export string) int {
		if ports[export] != 0 {
			return ports[export]
		}
		port := freePorts(t, 1)[0]
		file := filepath.Join(own, export+".brick")
		writeText(t, file, fmt.Sprintf(`volume posix
 type storage/posix
 option directory %s/%s
end-volume
volume locks
 type features/locks
 subvolumes posix
end-volume
volume brick
 type performance/io-threads
 subvolumes locks
end-volume
volume server
 type protocol/server
 option transport-type tcp
 option transport.socket.bind-address 127.0.0.1
 option transport.socket.listen-port %d
 option auth.addr.brick.allow 127.0.0.1
 subvolumes brick
end-volume
`, c.Dir, export, port))
		begin(t, filepath.Join(own, "brick.out"), nil, "glusterfsd", "--no-daemon", "-f", file, "--log-file", filepath.Join(own, export+".log"))
		awaitPort(t, "127.0.0.1", port, filepath.Join(own, export+".log"))
		ports[export] = port
		return port
	}
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	mount := func(t testing.TB, export, place string) program {
		file := filepath.Join(own, filepath.Base(place)+"-"+export+".client")
		writeText(t, file, fmt.Sprintf(`volume client
 type protocol/client
 option transport-type tcp
 option remote-host 127.0.0.1
 option remote-port %d
 option remote-subvolume brick
end-volume
volume writes
 type performance/write-behind
 subvolumes client
end-volume
volume attributes
 type performance/md-cache
 subvolumes writes
end-volume
`, brick(t, export)))
		return begin(t, filepath.Join(own, "client.out"), nil, "glusterfs", "--no-daemon", "-f", file, "--log-file", filepath.Join(own, filepath.Base(place)+".log"), place)
	}
	e := r.local(t, c, "GlusterFS", mount)
	// Nobody writes into a brick past its server: the foreigner has a mount too.
	e.Server.Path = mountPoint(t, c, 2)
	mount(t, "share", e.Server.Path)
	if err := awaitMount(t, e.Server.Path); err != nil {
		t.Fatal(err)
	}
	return e
}
