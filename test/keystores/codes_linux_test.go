package keystores

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/coterie-ha/coterie/test/cluster"
)

// hostileCodes are what is said of each file that package keystore makes to be hostile,
// or to be served by nobody.
var hostileCodes = map[string][]string{
	"COT-901": {
		"4 MiB of zeros",
		"PEM of parameters only",
		"a certificate as DER",
		"empty",
		"half a PEM",
		"one letter",
		"text",
	},
	"COT-902": {
		"JCEKS blocks for ever",
		"JCEKS no object",
		"JCEKS object cut",
		"JCEKS object in objects",
		"JCEKS reference to nothing",
		"JKS alias that is not UTF-8",
		"JKS certificate of 4 GiB",
		"JKS count too high",
		"JKS count too low",
		"JKS entry of kind 9",
		"JKS key of 0xffffffff",
		"JKS key of 10 bytes",
		"JKS of 41 bytes",
		"JKS secret",
		"PKCS12 IV of 3 bytes",
		"PKCS12 key of 7 bytes",
		"PKCS12 key rounds 0",
		"PKCS12 long length",
		"PKCS12 of 2^63",
		"PKCS12 of 4 GiB",
		"PKCS12 rounds 0",
		"PKCS12 rounds negative",
		"PKCS12 rounds of 9 bytes",
		"PKCS12 short of its length",
		"PKCS12 tag of several bytes",
		"PKCS12 trailing in a bag",
		"PKCS12 with a tail",
		"one byte",
	},
	"COT-903": {
		"PKCS12 wrong MAC",
	},
	"COT-904": {
		"4 MiB and one",
		"JCEKS rounds 2^31-1",
		"JKS certificate of 100 kB",
		"JKS chain of 0xffffffff",
		"JKS count 0xffffffff",
		"PKCS12 100,000 safes",
		"PKCS12 200,000 bags",
		"PKCS12 a million bags",
		"PKCS12 bags 10 deep",
		"PKCS12 bags 1000 deep",
		"PKCS12 certificate of 100 kB",
		"PKCS12 key rounds 2^31-1",
		"PKCS12 old salt of 1 MB",
		"PKCS12 rounds 2^31-1",
		"PKCS12 salt of 1 MB",
	},
	"COT-905": {
		"JKS certificate of kind PGP",
		"JKS version 3",
		"PKCS12 MAC of MD5",
		"PKCS12 PBMAC1",
		"PKCS12 certificate of PGP",
		"PKCS12 in BER",
		"PKCS12 in parts",
		"PKCS12 scrypt",
		"PKCS12 signed by a key",
		"PKCS12 unknown bag",
		"PKCS12 unknown encryption",
		"PKCS12 unknown safe",
		"PKCS12 version 4",
	},
	"COT-906": {
		"key in clear, no MAC",
	},
	"COT-907": {
		"JKS alias of 3000 bytes",
		"JKS alias of nothing",
		"JKS alias that turns",
		"JKS alias with NUL",
		"JKS alias with a line",
		"JKS aliases alike but case",
		"PKCS12 alias of 10 kB",
		"PKCS12 alias of NULs",
		"PKCS12 aliases twice",
		"PKCS12 half a letter",
	},
	"COT-913": {
		"an alias in capitals",
		"two certificates of one id",
	},
}

// hostile is a folder with those files.
func hostile(t *testing.T) string {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run", "^TestHostileFilesCostAClearError$", "./keystore", "-args", "-hostile", dir)
	write.Dir = root
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// Each of them is refused by the program with the code that is meant, and a remedy.
func TestEachHostileFileHasItsCode(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Empty: true}) // nobody asks the database
	dir, pass := hostile(t), filepath.Join(c.Dir, "password")
	if err := os.WriteFile(pass, []byte("changeit\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for code, names := range hostileCodes {
		for _, name := range names {
			said[name] = true
			out, exit := c.Run("keystore", "show", filepath.Join(dir, name), "--check", "--password-file", pass)
			if exit == 0 || !strings.HasPrefix(errorsOf(out), code+" ") || !strings.Contains(out, "remedy") {
				t.Errorf("%s: exit code %d, want %s: %s", name, exit, code, out)
			}
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !said[f.Name()] {
			t.Errorf("%s: nobody says which code it has", f.Name())
		}
	}
	if len(files) < 70 || len(files) != len(said) {
		t.Errorf("%d files, and %d of them have a code", len(files), len(said))
	}
}

// errorsOf is what a command said from its first code on: what it showed comes before.
func errorsOf(out string) string {
	if at := strings.Index(out, "COT-"); at >= 0 {
		return out[at:]
	}
	return out
}

// What somebody else may not read has its code; only root can be somebody else.
func TestAFileThatMayNotBeReadHasItsCode(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("COTERIE_CI") != "" {
			t.Fatal("only root can be somebody else")
		}
		t.Skip("NOT TESTED: only root can be somebody else")
	}
	c := cluster.Start(t, cluster.Options{Empty: true})
	dir := openFolder(t)
	program, err := os.ReadFile(c.Program())
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]struct {
		data []byte
		mode os.FileMode
	}{
		"coterie": {program, 0o755}, "closed": {usual(t), 0o600}, "open": {usual(t), 0o644}, "password": {[]byte("changeit\n"), 0o600},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), f.data, f.mode); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "coterie"), append([]string{"keystore", "show"}, args...)...)
		cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, c := range []struct{ file, pass, code string }{
		{"closed", "password", "COT-214"},
		{"open", "password", "COT-910"},
	} {
		out, exit := run(c.file, "--password-file", c.pass)
		if exit != 2 || !strings.HasPrefix(out, c.code+" ") || !strings.Contains(out, "permission denied") || !strings.Contains(out, "remedy") {
			t.Errorf("%s with %s: exit code %d, want %s: %s", c.file, c.pass, exit, c.code, out)
		}
	}
}

// nobody is a user that owns nothing.
const nobody = 65534

// openFolder is one into which everybody can look.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "coterie-open-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
