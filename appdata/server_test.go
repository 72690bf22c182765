package appdata

import "testing"

func TestTheServerOfAMountIsReadFromItsSource(t *testing.T) {
	for _, c := range []struct {
		kind, source, options, host string
		port                        int
	}{
		{"nfs4", "nas1:/srv/deploy", "rw,vers=4.2", "nas1", 2049},
		{"nfs4", "nas1:/srv/deploy", "rw,addr=10.0.0.7", "10.0.0.7", 2049},
		{"nfs4", "nas1:/srv/deploy", "rw,port=12049,addr=10.0.0.7", "10.0.0.7", 12049},
		{"nfs", "[fd00::7]:/srv", "port=0,addr=fd00::7", "fd00::7", 2049},
		{"cifs", "//nas1/deploy", "vers=3.1.1", "nas1", 445},
		{"cifs", "//nas1/deploy/below", "addr=10.0.0.8", "10.0.0.8", 445},
		{"fuse.sshfs", "app@nas1:/srv", "", "nas1", 22},
		{"fuse.sshfs", "nas1:", "", "", 0},
		{"fuse.glusterfs", "nas1:/vol", "", "", 0}, // the volume is of several
		{"ext4", "/dev/sda1", "", "", 0},
		{"nfs4", "none", "", "", 0},
		{"cifs", "//", "", "", 0},
		{"nfs4", "nas1:/srv", "addr=no address,port=99999", "nas1", 2049},
	} {
		if host, port := (Mount{FSType: c.kind, Source: c.source, Options: c.options}).Server(); host != c.host || port != c.port {
			t.Errorf("%s %s %s: got %q %d, want %q %d", c.kind, c.source, c.options, host, port, c.host, c.port)
		}
	}
}
