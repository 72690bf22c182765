package tomcat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/test/cluster"
	"github.com/coterie-ha/coterie/test/migrate"
)

// site is an installation whose Tomcat serves from its own files, and a share.
type site struct {
	program, path        string
	install, share, plan string
	served               map[string]string // what it must give
	tomcat               *server
	port                 int
}

// A server that is moved serves what it served before, and goes on writing: what it
// writes is on the share then. While it runs it is not moved.
func TestATomcatServesFromTheShareWhatItServedBefore(t *testing.T) {
	path := compiled(t, classpath(t), "Site")
	program, err := cluster.Program()
	if err != nil {
		t.Fatal(err)
	}
	for _, layout := range []migrate.Layout{migrate.Upgraded, migrate.Folder, migrate.Links} {
		if testing.Short() && layout != migrate.Upgraded {
			continue
		}
		t.Run(string(layout), func(t *testing.T) {
			dir := t.TempDir()
			s := &site{
				program: program, path: path, install: filepath.Join(dir, "server"), share: filepath.Join(dir, "share"), plan: filepath.Join(dir, "plan.json"),
				served: map[string]string{}, port: freePorts(t, 1)[0],
			}
			if err := errors.Join(layout.Make(s.install), os.Mkdir(s.share, 0o755)); err != nil {
				t.Fatal(err)
			}
			s.moved(t)
		})
	}
}

func (s *site) moved(t *testing.T) {
	appdata := filepath.Join(s.share, "appdata")
	s.start(t)
	for _, name := range []string{"var/repository/a/b/c/one", "var/plugins/stream/plugin-1.zip", "var/plugins/latest", "patches/p1.jar"} {
		s.served[name] = s.ask(t, http.MethodGet, name, "")
	}
	if len(s.served["var/repository/a/b/c/one"]) < 1000 {
		t.Fatalf("it serves %.20q before anything is moved", s.served["var/repository/a/b/c/one"])
	}
	s.put(t, "var/repository/before", "written before the move")
	s.coterie(t, 0, "", "migrate", "plan", s.install, "--to", appdata, "--accept", "local-disk,unseen-processes", "--out", s.plan)
	s.coterie(t, 5, "COT-404", "migrate", "apply", s.plan, "-y")
	s.serves(t)
	s.tomcat.end()

	s.coterie(t, 0, "", "migrate", "apply", s.plan, "-y")
	s.coterie(t, 0, "", "migrate", "verify", s.plan)
	s.start(t)
	s.serves(t)
	s.put(t, "var/repository/after", "written after the move")
	if text, err := os.ReadFile(filepath.Join(appdata, "var/repository/after")); err != nil || string(text) != "written after the move" {
		t.Errorf("on the share: %q, %v", text, err)
	}
	s.tomcat.end()

	s.coterie(t, 0, "", "migrate", "finish", s.plan, "-y", "--alone")
	s.start(t)
	s.serves(t)
	s.tomcat.end()
}

func (s *site) start(t *testing.T) {
	t.Helper()
	s.tomcat = launch(t, s.path, "Site", "", s.install, fmt.Sprint(s.port))
}

func (s *site) ask(t *testing.T, method, name, text string) string {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d/%s", s.port, name), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", method, name, err, s.tomcat.said())
	}
	defer a.Body.Close()
	said, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %v\n%s", method, name, a.Status, err, s.tomcat.said())
	}
	return string(said)
}

func (s *site) put(t *testing.T, name, text string) {
	t.Helper()
	s.ask(t, http.MethodPut, name, text)
	s.served[name] = text
}

func (s *site) serves(t *testing.T) {
	t.Helper()
	for name, want := range s.served {
		if got := s.ask(t, http.MethodGet, name, ""); got != want {
			t.Errorf("%s is %.40q, %d bytes, and was %.40q, %d bytes", name, got, len(got), want, len(want))
		}
	}
}

// coterie runs the program, which must end so and say so.
func (s *site) coterie(t *testing.T, code int, word string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.program, args...)
	cmd.Env = append(os.Environ(), "COTERIE_CONFIG=")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(out.String(), word) {
		t.Fatalf("coterie %s: %v, want code %d and %q\n%s", strings.Join(args, " "), err, code, word, &out)
	}
}
