package appdata

import (
	"strings"
	"testing"
)

func TestWrongMountsAreNamed(t *testing.T) {
	const (
		goodNFS = "rw,relatime,vers=4.2,hard,proto=tcp,acregmin=1,acregmax=1,acdirmin=1,acdirmax=1,lookupcache=positive,local_lock=none"
		goodSMB = "rw,relatime,vers=3.1.1,cache=strict,closetimeo=0,mfsymlinks,actimeo=1,echo_interval=10,file_mode=0640"
	)
	with := func(options, change string) string {
		name, _, _ := strings.Cut(change, "=")
		var kept []string
		for option := range strings.SplitSeq(options, ",") {
			if n, _, _ := strings.Cut(option, "="); n != name {
				kept = append(kept, option)
			}
		}
		return strings.Join(append(kept, change), ",")
	}
	for _, c := range []struct {
		fs, options string
		grave       bool
		want        string // in some risk; empty: there is none
	}{
		{"nfs4", goodNFS, false, ""},
		{"cifs", goodSMB, false, ""},
		{"ceph", "rw,relatime", false, ""},
		{"nfs", "rw,vers=3,actimeo=1,lookupcache=positive", true, "NFSv3"},
		{"nfs", "rw,actimeo=1,lookupcache=positive", true, "NFSv3"},
		{"nfs4", with(goodNFS, "nolock"), true, "locks hold on this host"},
		{"nfs4", with(goodNFS, "local_lock=all"), true, "locks hold on this host"},
		{"nfs4", with(goodNFS, "soft"), true, "data are lost"},
		{"nfs4", with(goodNFS, "softerr"), true, "data are lost"},
		{"nfs4", with(goodNFS, "proto=udp"), true, "UDP"},
		{"nfs4", with(goodNFS, "nocto"), true, "nocto"},
		{"nfs4", with(goodNFS, "noac"), false, "each look is a request"},
		{"nfs4", with(goodNFS, "acdirmax=60"), false, "60 s late"},
		{"nfs4", "rw,vers=4.2,hard", false, "60 s late"},
		{"nfs4", with(goodNFS, "lookupcache=all"), false, "not there is remembered"},
		{"nfs4", strings.Replace(goodNFS, "rw", "ro", 1), true, "read-only"},
		{"nfs4", with(goodNFS, "sync"), false, "each write waits"},
		{"cifs", with(goodSMB, "vers=1.0"), true, "SMB 1"},
		{"cifs", with(goodSMB, "vers=2.1"), false, "SMB 2.1"},
		{"cifs", with(goodSMB, "cache=loose"), true, "cache=loose"},
		{"cifs", with(goodSMB, "nobrl"), true, "nobrl"},
		{"cifs", with(goodSMB, "closetimeo=1"), false, "stays the old one"},
		{"cifs", with(goodSMB, "nocase"), false, "nocase"},
		{"cifs", with(goodSMB, "file_mode=0777"), true, "keystores"},
		{"cifs", with(goodSMB, "echo_interval=60"), false, "after 120 s"},
		{"cifs", with(goodSMB, "actimeo=30"), false, "30 s late"},
		{"cifs", strings.Replace(goodSMB, "mfsymlinks,", "", 1), false, "symbolic links"},
		{"fuse.sshfs", "rw", false, "20 s late"},
		{"fuse.smbnetfs", "rw", true, "append"},
		{"tmpfs", "rw", false, "gone after a restart"},
		{"overlay", "rw", false, "gone after a restart"},
		{"ext4", "rw", false, "this host alone"},
	} {
		risks := Mount{FSType: c.fs, Options: c.options}.Risks()
		if c.want == "" {
			if len(risks) > 0 {
				t.Errorf("%s %s: %v", c.fs, c.options, risks)
			}
			continue
		}
		found := false
		for _, r := range risks {
			found = found || strings.Contains(r.Text, c.want) && r.Grave == c.grave && r.Remedy != ""
		}
		if !found || c.grave && !risks[0].Grave {
			t.Errorf("%s %s: %v, want %q", c.fs, c.options, risks, c.want)
		}
	}
}
