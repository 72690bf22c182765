package tomcat

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/sql/pgserver"
)

// classpath is the libraries of Tomcat 10, or the test is not made.
func classpath(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("COTERIE_TOMCAT_JARS")
	if dir == "" {
		dir = "/usr/share/java"
	}
	var jars []string
	for _, name := range []string{"annotations-api", "api", "catalina", "coyote", "el-api", "jaspic-api", "jni", "jsp-api", "juli", "servlet-api", "util", "util-scan"} {
		if jar := filepath.Join(dir, "tomcat10-"+name+".jar"); exists(jar) {
			jars = append(jars, jar)
		}
	}
	_, err := exec.LookPath("javac")
	if len(jars) > 5 && err == nil {
		return strings.Join(jars, ":")
	}
	if os.Getenv("COTERIE_CI") != "" {
		t.Fatal("no JDK or no Tomcat 10 here: make tomcat")
	}
	t.Skip("NOT TESTED: no JDK or no Tomcat 10 here. make tomcat installs them")
	return ""
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// served is a key of a keystore that Tomcat is to show at a port.
type served struct {
	name, file, alias, fingerprint string
	form                           keystore.Format
	pass, keyPass                  keystore.Password
	port                           int
}

// rewritten writes every sample anew, in each form that can hold it, and lists the
// keys that a server can serve.
func rewritten(t *testing.T) []served {
	t.Helper()
	list, err := os.ReadFile("../../keystore/testdata/files.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var all []served
	n := 0
	for line := range strings.Lines(string(list)) {
		f := strings.Fields(line)
		pass := keystore.Passwords{Store: keystore.Password(strings.TrimPrefix(f[1], "-"))}
		if f[2] != "-" {
			pass.Keys = []keystore.Password{keystore.Password(f[2])}
		}
		data, err := os.ReadFile(filepath.Join("../../keystore/testdata/files", f[0]))
		if err != nil {
			t.Fatal(err)
		}
		s, err := keystore.Read(data, pass)
		if n++; err != nil || testing.Short() && n%6 != 2 {
			continue
		}
		for _, form := range []keystore.Format{keystore.PKCS12, keystore.JKS} {
			all = append(all, write(t, dir, f[0], s, form)...)
		}
	}
	return all
}

func write(t *testing.T, dir, name string, s *keystore.Store, form keystore.Format) []served {
	t.Helper()
	const pass = keystore.Password("changeit")
	out, err := keystore.Write(s, form, pass)
	if err != nil {
		return nil // a secret or a closed key, of another form: package keystore's own tests say which
	}
	file := filepath.Join(dir, name+"."+string(form))
	if err := os.WriteFile(file, out, 0o600); err != nil {
		t.Fatal(err)
	}
	var all []served
	for _, e := range s.Entries {
		f := e.Facts()
		if e.Kind != keystore.Key || !f.Matches || f.Algorithm == "Ed25519" || f.Algorithm == "EC 521" {
			continue // Go's client does not ask for a certificate of these
		}
		all = append(all, served{name: name + " as " + string(form), file: file, alias: e.Alias, fingerprint: f.Fingerprint, form: form, pass: pass, keyPass: e.Password})
	}
	return all
}

// freePorts are ports that nothing listens at.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports, err := pgserver.FreePorts(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

func TestTomcatServesWhatIsWritten(t *testing.T) {
	path := classpath(t)
	keys := rewritten(t)
	var lines bytes.Buffer
	for i, port := range freePorts(t, len(keys)) {
		k := &keys[i]
		k.port = port
		fmt.Fprintf(&lines, "%d\t%s\t%s\t%s\t%s\t%s\n", port, k.file, k.form, string(k.pass), string(k.keyPass), k.alias)
	}
	server := start(t, compiled(t, path), lines.String()+"\n")
	shown := 0
	for _, k := range keys {
		got, err := leaf(t.Context(), k.port)
		if err != nil || got != k.fingerprint {
			t.Errorf("%s, alias %s: %v, got %.16s, want %.16s", k.name, k.alias, err, got, k.fingerprint)
			continue
		}
		shown++
	}
	t.Logf("Tomcat served %d of %d keys", shown, len(keys))
	if len(keys) < 10 || !testing.Short() && len(keys) < 100 {
		t.Errorf("%d keys", len(keys))
	}
	if t.Failed() {
		t.Logf("Tomcat: %s", server.said())
	}
}

// compiled is the class path with a program of testdata.
func compiled(t *testing.T, path string, program ...string) string {
	t.Helper()
	classes := t.TempDir()
	source := filepath.Join("testdata", append(program, "Serve")[0]+".java")
	if out, err := exec.CommandContext(t.Context(), "javac", "-d", classes, "-cp", path, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return classes + ":" + path
}

// server is a Tomcat.
type server struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	log  *os.File
	once sync.Once
}

// end kills it, as life does.
func (s *server) end() {
	s.once.Do(func() {
		_ = s.cmd.Process.Kill() // what it said stands in its log
		_ = s.cmd.Wait()
		s.in.Close()
		s.log.Close()
	})
}

// said is what it logged.
func (s *server) said() string {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// await waits for a word of it.
func (s *server) await(word string) error {
	for s.out.Scan() {
		if s.out.Text() == word {
			return nil
		}
	}
	return fmt.Errorf("it ended and did not say %s: %s", word, s.said())
}

// start starts a Tomcat with these connectors, and perhaps the port of a manager.
func start(t *testing.T, path, lines string, manager ...string) *server {
	t.Helper()
	return launch(t, path, "Serve", lines, manager...)
}

// launch starts a program of testdata with a folder of its own and these arguments.
func launch(t *testing.T, path, program, lines string, more ...string) *server {
	t.Helper()
	base := t.TempDir()
	log, err := os.Create(filepath.Join(base, "log"))
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", path, program, base}, more...)
	s := &server{cmd: exec.CommandContext(context.Background(), "java", args...), log: log}
	s.cmd.Stderr = log
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	if _, err := io.WriteString(s.in, lines); err != nil {
		t.Fatal(err)
	}
	if err := s.await("started"); err != nil {
		t.Fatal(err)
	}
	return s
}

// leaf is the fingerprint of the certificate that a server shows.
func leaf(ctx context.Context, port int) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // what is shown is compared, not believed
	conn, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	shown := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	return keystore.Certificate{DER: shown.Raw}.Fingerprint(), nil
}
