//go:build linux

package policies

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

const upkeepFile = `
jobs:
  - {name: certificates, schedule: "@daily", action: coterie.check-certificates, misfire: skip}
  - {name: backup, schedule: "@daily", action: coterie.backup, params: {keep: 2}, misfire: skip}
  - {name: verify, schedule: "@daily", action: coterie.verify-manifest, params: {content: all}, misfire: skip}
  - {name: strictly, schedule: "@daily", action: coterie.verify-manifest, params: {changes: fail}, misfire: skip}
  - {name: hangs, schedule: "@daily", action: coterie.verify-manifest, params: {content: all, names: 1}, timeout: 2s, misfire: skip}
  - {name: small-backup, schedule: "@daily", action: coterie.backup, params: {keep: 2, what: coterie}, misfire: skip}
`

// certificate is one that ends after so many hours, in PEM.
func certificate(t *testing.T, name string, hours int) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plan := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().AddDate(-1, 0, 0),
		NotAfter: time.Now().Add(time.Duration(hours) * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, plan, plan, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// upkept is a cluster of one node whose configuration asks for all built-in jobs.
func upkept(t *testing.T) (c *cluster.Cluster, run func(want int, args ...string) string) {
	c = cluster.Start(t, cluster.Options{Terms: cluster.Fast})
	served := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(served.Close)
	c.Exec(`CREATE ROLE reads_all LOGIN IN ROLE pg_read_all_data; CREATE TABLE public.payroll AS SELECT 4711 AS number`)
	n := c.Add("a", cluster.NodeOptions{AutoMigrate: true, Actions: fmt.Sprintf(`certificates: {files: [certs], endpoints: [%q]}
backup: {folder: backups/db, dsn: "%s sslmode=disable", program: %s}
`, served.Listener.Addr().String(), c.DSN("reads_all"), c.Server.Binaries.Path("pg_dump"))})
	n.Start()
	c.AwaitReady()
	run = func(want int, args ...string) string {
		t.Helper()
		out, code := c.Run(append([]string{"-c", n.Config()}, args...)...)
		if code != want {
			t.Fatalf("coterie %s: exit %d, want %d:\n%s", strings.Join(args, " "), code, want, out)
		}
		return out
	}
	file := filepath.Join(c.Dir, "jobs.yaml")
	if err := os.WriteFile(file, []byte(upkeepFile), 0o600); err != nil {
		t.Fatal(err)
	}
	run(0, "jobs", "apply", "-f", file, "-y")
	c.AwaitHeld()
	return c, run
}

func TestCertificatesThatEndAreFindings(t *testing.T) {
	c, run := upkept(t)
	folder := filepath.Join(c.Dir, "share", "certs")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name string, hours int) {
		if err := os.WriteFile(filepath.Join(folder, name), certificate(t, name, hours), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("month.pem", 20*24)
	write("week.pem", 5*24)
	write("year.pem", 300*24)
	findings := func() string {
		return strings.Join(cluster.All[string](c, `SELECT code || ' ' || severity || ' ' || regexp_replace(text, '^.*/', '') FROM coterie.findings
			WHERE code IN ('COT-530', 'COT-531') ORDER BY 1`), "\n")
	}
	run(0, "run", "certificates", "--wait")
	for _, want := range []string{"COT-530 note month.pem", "COT-530 warning week.pem"} {
		if !strings.Contains(findings(), want) {
			t.Errorf("%q is not among the findings:\n%s", want, findings())
		}
	}
	if strings.Contains(findings(), "year") {
		t.Errorf("what ends next year is a finding:\n%s", findings())
	}
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.expiries WHERE place LIKE '127.0.0.1:%' AND alias = 'served' AND not_after IS NOT NULL AND trouble IS NULL`); n != 1 {
		t.Error("what an address serves was not seen")
	}

	// What ends within a day makes the run fail, so that hooks tell.
	write("week.pem", 3)
	if out := run(1, "run", "certificates", "--wait"); !strings.Contains(out, "exit code 3") && !strings.Contains(out, "failed") {
		t.Errorf("the run says:\n%s", out)
	}
	if !strings.Contains(findings(), "COT-530 error week.pem") {
		t.Errorf("the findings are:\n%s", findings())
	}
	// What is mended disappears.
	write("week.pem", 300*24)
	write("month.pem", 300*24)
	run(0, "run", "certificates", "--wait")
	if got := findings(); got != "" {
		t.Errorf("the findings are:\n%s", got)
	}
}

func TestABackupCanBeRestored(t *testing.T) {
	c, run := upkept(t)
	for range 3 {
		run(0, "run", "backup", "--wait")
	}
	run(0, "run", "small-backup", "--wait")
	folder := filepath.Join(c.Dir, "share", "backups", "db")
	found, err := filepath.Glob(filepath.Join(folder, "app-2*.dump"))
	if err != nil || len(found) != 2 {
		t.Fatalf("%v, %v, want the last two", found, err)
	}
	if small, err := filepath.Glob(filepath.Join(folder, "app-coterie-*.dump")); err != nil || len(small) != 1 {
		t.Errorf("%v, %v, want one of the schema", small, err)
	}
	said := cluster.Get[string](c, `SELECT log_tail FROM coterie.runs WHERE job = 'backup' ORDER BY due_at DESC LIMIT 1`)
	if !strings.Contains(said, "read back and equal") || !strings.Contains(said, "1 old backup deleted app-") {
		t.Errorf("the run says:\n%s", said)
	}

	c.Exec(`CREATE DATABASE restored`)
	restore := exec.CommandContext(t.Context(), c.Server.Binaries.Path("pg_restore"), "--exit-on-error", "--dbname="+c.Server.DSN("restored"), found[1])
	if out, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	psql := exec.CommandContext(t.Context(), c.Server.Binaries.Path("psql"), "-XAt", "--dbname="+c.Server.DSN("restored"), "-c",
		`SELECT number, (SELECT count(*) > 0 FROM coterie.run) FROM public.payroll`)
	if out, err := psql.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "4711|t" {
		t.Errorf("the restored database has %s, %v", out, err)
	}

	// Who may not read everything is told what to do.
	c.Exec(`REVOKE pg_read_all_data FROM reads_all`)
	run(1, "run", "backup", "--wait")
	said = cluster.Get[string](c, `SELECT log_tail FROM coterie.runs WHERE job = 'backup' ORDER BY due_at DESC LIMIT 1`)
	if !strings.Contains(said, "COT-532") || !strings.Contains(said, "GRANT pg_read_all_data") {
		t.Errorf("the run says:\n%s", said)
	}
	if again, err := filepath.Glob(filepath.Join(folder, "*")); err != nil || len(again) != 6 {
		t.Errorf("left: %v, %v", again, err)
	}
}

func TestTheShareIsHeldAgainstItsManifest(t *testing.T) {
	c, run := upkept(t)
	folder := filepath.Join(c.Dir, "share", "conf")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour) // so that what it is now is what it stays
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, long, long); err != nil {
			t.Fatal(err)
		}
	}
	said := func(job string) string {
		return cluster.Get[string](c, `SELECT log_tail FROM coterie.runs WHERE job = $1 ORDER BY due_at DESC LIMIT 1`, job)
	}
	tells := func(job string, all ...string) {
		t.Helper()
		for _, want := range all {
			if !strings.Contains(said(job), want) {
				t.Errorf("the run of %s does not say %q:\n%s", job, want, said(job))
			}
		}
	}
	for i := range 30 {
		write(fmt.Sprintf("file-%02d", i), "as it was")
	}
	run(0, "run", "verify", "--wait")
	tells("verify", "the first scan")
	c.Elapse(2500 * time.Millisecond) // until a change of what was read cannot look as if it had been there then
	run(0, "run", "verify", "--wait")
	tells("verify", "nothing changed")

	// What changes is told, and stored; it is a deviation for those who say so.
	write("file-00", "as it is now")
	run(0, "run", "verify", "--wait")
	tells("verify", "1 change.", "modified     conf/file-00")
	write("file-01", "as it is now")
	if out := run(1, "run", "strictly", "--wait"); !strings.Contains(out, "COT-503") {
		t.Errorf("got %s", out)
	}
	tells("strictly", "modified     conf/file-01", "COT-534")
	run(0, "run", "strictly", "--wait")

	// Content that changes with size and time as they were is one in any case.
	c.Elapse(2500 * time.Millisecond)
	run(0, "run", "verify", "--wait")
	write("file-02", "As it was")
	run(1, "run", "verify", "--wait")
	tells("verify", "quietly      conf/file-02", "COT-534 1 file changed without a trace")
	run(0, "run", "verify", "--wait")

	// Much that is missing waits for an operator; a share that is away is no answer.
	if err := os.Rename(folder, folder+"-aside"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(folder+"-aside", filepath.Join(c.Dir, "aside")); err != nil {
		t.Fatal(err)
	}
	run(1, "run", "verify", "--wait")
	tells("verify", "COT-312 30 files", "missing      conf")
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.findings WHERE code = 'COT-312'`); n != 1 {
		t.Errorf("many missing files are found %d times", n)
	}
	if err := os.Rename(filepath.Join(c.Dir, "aside"), folder); err != nil {
		t.Fatal(err)
	}
	run(0, "run", "verify", "--wait")
	marker := filepath.Join(c.Dir, "share", ".coterie")
	if err := os.Rename(marker, marker+"-aside"); err != nil {
		t.Fatal(err)
	}
	run(1, "run", "verify", "--wait")
	tells("verify", "COT-301")
	if err := os.Rename(marker+"-aside", marker); err != nil {
		t.Fatal(err)
	}
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.appdata_files WHERE path LIKE 'conf/%'`); n != 30 {
		t.Errorf("the manifest has %d files of 30", n)
	}

	// What stands still with the share is a process of its own: it is ended, and its node goes on.
	run(1, "run", "hangs", "--wait")
	if got := cluster.Get[string](c, `SELECT outcome FROM coterie.runs WHERE job = 'hangs'`); got != "timed_out" {
		t.Errorf("the one that hangs is %s", got)
	}
	run(0, "run", "verify", "--wait")
}
