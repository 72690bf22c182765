//go:build linux

package rig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/test/cluster"
)

// Export is one folder on a server, as two hosts have it before them.
type Export struct {
	Kind   string
	Sides  [2]Side
	Server Side // past both: the exported file system where it lies
	Alien  Side // a host that has the share mounted, and no agent; where there is one
	// Mount puts another export in the place of the one that a side has; "" leaves
	// an empty mount point. There are "share", "other" (of another cluster), "empty",
	// and "older" (a copy of the share) once somebody has made it.
	Mount func(t testing.TB, side int, export string) error
	// MountWith is Mount with options of a file system's own.
	MountWith func(t testing.TB, side int, export, options string) error
	// Cut makes the server answer nobody any more, until join.
	Cut func(t testing.TB) (join func())
	// Late is how long this file system shows what was before, though it is asked anew.
	Late time.Duration
}

// inGuest is a guest as a side.
func inGuest(g *Guest, path string) Side {
	return Side{Name: g.Name, Inside: g.Inside(), Tool: g.rig.Tool, Path: path}
}

// here is this machine as a side.
func (r *Rig) here(name, path string) Side { return Side{Name: name, Tool: r.Tool, Path: path} }

// shared is the folder of a cluster that its administrator has marked.
func shared(c *cluster.Cluster) string { return filepath.Join(c.Dir, "share") }

// seed brings what the administrator wrote to a server's disk, and makes a folder
// of another cluster beside it.
func seed(t testing.TB, c *cluster.Cluster, server Side) {
	t.Helper()
	other := filepath.Join(c.Dir, "other")
	if err := errors.Join(os.MkdirAll(other, 0o755), os.MkdirAll(filepath.Join(c.Dir, "empty"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := appdata.CreateMarker(other, appdata.Marker{Cluster: "others", ID: "another-cluster", Generation: 1}); err != nil {
		t.Fatal(err)
	}
	if server.Inside == nil {
		return
	}
	for from, to := range map[string]string{shared(c): server.Path, other: filepath.Join(filepath.Dir(server.Path), "other")} {
		err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(from, path)
			server.Do(t, "write", filepath.Join(to, name), string(text))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// NFS is a kernel's server in a guest of its own, with kernels' clients in two others.
func (r *Rig) NFS(t testing.TB, c *cluster.Cluster, server *Guest, clients [2]*Guest) Export {
	t.Helper()
	e := Export{Kind: "NFSv4.2", Server: inGuest(server, "/export/share")}
	e.Server.Begin(t, "nfsd: serving", r.Tool, "nfsd")
	seed(t, c, e.Server)
	e.mounts(clients, func(export, options string) []string {
		own := fmt.Sprintf("vers=4.2,addr=10.0.2.2,clientaddr=10.0.2.15,port=%d,proto=tcp", server.nfs)
		return []string{"-t", "nfs4", "-o", own + "," + options, "10.0.2.2:/" + export}
	})
	e.Cut = func(t testing.TB) func() {
		server.Freeze(t)
		return func() { server.Thaw(t) }
	}
	return e
}

// mounts makes sides of two guests that mount in the same way.
func (e *Export) mounts(clients [2]*Guest, how func(export, options string) []string) {
	place := "/mnt/" + strings.ToLower(e.Kind[:3])
	for i, g := range clients {
		e.Sides[i] = inGuest(g, place)
	}
	e.Mount = func(t testing.TB, side int, export string) error { return e.MountWith(t, side, export, "") }
	e.MountWith = func(t testing.TB, side int, export, options string) error {
		t.Helper()
		s := e.Sides[side]
		for { // whatever lies over another
			if _, err := s.Call(t, s.Tool, "umount", place); err != nil {
				break
			}
		}
		s.Do(t, "mkdir", place)
		if export == "" {
			return nil
		}
		return s.mount(t, how(export, options))
	}
}

// mount mounts at a side's place.
func (s Side) mount(t testing.TB, how []string) error {
	t.Helper()
	if out, err := s.Call(t, append(append([]string{s.Tool, "mount"}, how...), s.Path)...); err != nil {
		return fmt.Errorf("%s: %s", s.Name, out)
	}
	return nil
}

// SMB is Samba on this machine, with kernels' clients in two guests, and in a third one
// that has no agent.
func (r *Rig) SMB(t testing.TB, c *cluster.Cluster, clients [2]*Guest, alien *Guest) Export {
	t.Helper()
	e := Export{Kind: "SMB 3.1.1", Server: r.here("server", shared(c))}
	seed(t, c, e.Server)
	port := freePorts(t, 1)[0]
	samba := startSamba(t, c.Dir, "127.0.0.1", port)
	how := func(export, options string) []string {
		own := fmt.Sprintf(`ip=10.0.2.2,unc=\\10.0.2.2\%s,port=%d,vers=3.1.1,username=root,password=%s`, export, port, sambaPassword)
		return []string{"-t", "cifs", "-o", own + "," + options, "//10.0.2.2/" + export}
	}
	e.mounts(clients, how)
	e.Alien = inGuest(alien, "/mnt/smb")
	e.Alien.Do(t, "mkdir", e.Alien.Path)
	if err := e.Alien.mount(t, how("share", "")); err != nil {
		t.Fatal(err)
	}
	e.Cut = samba.freeze
	return e
}

const sambaPassword = "rig-only"

// startSamba serves the folders of a directory.
func startSamba(t testing.TB, dir, address string, port int) program {
	t.Helper()
	Need(t, "smbd", "smbpasswd")
	own := filepath.Join(dir, "samba")
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, `[global]
server role = standalone server
interfaces = %s
bind interfaces only = yes
smb ports = %d
disable netbios = yes
load printers = no
printcap name = /dev/null
passdb backend = tdbsam:%s/passdb.tdb
log file = %s/smbd.log
`, address, port, own, own)
	for _, place := range []string{"private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir"} {
		folder := filepath.Join(own, strings.ReplaceAll(place, " ", "-"))
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s = %s\n", place, folder)
	}
	for _, export := range []string{"share", "other", "empty", "older"} {
		r, err := appdata.NewRecipe("//nas1/" + export)
		if err != nil {
			t.Fatal(err)
		}
		r.Folder, r.Nodes, r.User = filepath.Join(dir, export), []string{address}, "root"
		text.WriteString(strings.Join(r.Steps()[0].Lines, "\n") + "\n")
	}
	fmt.Fprintf(&text, "[readonly]\npath = %s/share\nread only = yes\n", dir)
	conf := filepath.Join(own, "smb.conf")
	if err := os.WriteFile(conf, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	password := exec.CommandContext(t.Context(), "smbpasswd", "-c", conf, "-a", "-s", "root")
	password.Stdin = strings.NewReader(sambaPassword + "\n" + sambaPassword + "\n")
	if out, err := password.CombinedOutput(); err != nil {
		t.Fatalf("smbpasswd: %v\n%s", err, out)
	}
	p := begin(t, filepath.Join(own, "out"), nil, "smbd", "--foreground", "--no-process-group", "--configfile", conf)
	awaitPort(t, address, port, filepath.Join(own, "out"))
	return p
}
