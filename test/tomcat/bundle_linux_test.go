package tomcat

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/test/cluster"
)

// portal is an AppBoard's Tomcat: its own ports, database and licence, and a release of
// what was designed.
type portal struct {
	root    string
	ports   []int // shutdown, HTTP
	release string
}

// serverXML has the ports of one host, and a word of the release in a place that a client
// can see.
func (p *portal) serverXML() string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<!-- release %[3]s -->
<Server port="%[1]d" shutdown="SHUTDOWN">
  <Service name="Catalina">
    <Connector port="%[2]d" protocol="HTTP/1.1" address="127.0.0.1" server="portal %[3]s" redirectPort="%[2]d"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps" unpackWARs="false" autoDeploy="false"/>
    </Engine>
  </Service>
</Server>
`, p.ports[0], p.ports[1], p.release)
}

const webXML = `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="5.0">
  <servlet><servlet-name>front</servlet-name><servlet-class>Front</servlet-class></servlet>
  <servlet-mapping><servlet-name>front</servlet-name><url-pattern>/front</url-pattern></servlet-mapping>
</web-app>
`

// newPortal installs one; classes is the folder with the application's class, if it has it.
func newPortal(t *testing.T, tier, release, classes string) *portal {
	t.Helper()
	p := &portal{root: filepath.Join(t.TempDir(), "server"), ports: freePorts(t, 2), release: release}
	app := "webapps/enportal/WEB-INF/"
	files := map[string]string{
		"conf/server.xml":                 p.serverXML(),
		app + "web.xml":                   webXML,
		app + "config/persist.properties": "url=jdbc:postgresql://" + tier + "-db/portal\npassword=of-" + tier + "\n",
		app + "config/license.properties": "license=of-" + tier + "\n",
		app + "config/custom.properties":  "release=" + release + "\n",
		"logs/catalina.out":               "",
	}
	if classes != "" {
		class, err := os.ReadFile(filepath.Join(classes, "Front.class"))
		if err != nil {
			t.Fatal(err)
		}
		files[app+"classes/Front.class"] = string(class)
	}
	for name, text := range files {
		name = filepath.Join(p.root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// front starts the server, asks its application, and ends it: the server's own word, and
// what the application is told.
func (p *portal) front(t *testing.T, path string) (word, told string) {
	t.Helper()
	s := launch(t, path, "Portal", "", p.root)
	defer s.end()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/enportal/front", p.ports[1]), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.said())
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", a.StatusCode, a.Header.Get("Server")), string(text)
}

// What was designed on one server is brought to another of another tier: that one starts at
// its own ports, with its own database and licence, and serves the new release; and taken
// back, the old one.
func TestAPortalIsBroughtFromDevToProductionAndServes(t *testing.T) {
	path := compiled(t, classpath(t), "Portal")
	program, err := cluster.Program()
	if err != nil {
		t.Fatal(err)
	}
	classes := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "javac", "-d", classes, "-cp", path, "testdata/Front.java").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dev, prod := newPortal(t, "dev", "2", classes), newPortal(t, "prod", "1", "")
	dir := t.TempDir()
	key, file := filepath.Join(dir, "dev.key"), filepath.Join(dir, "portal.bundle")
	s := &site{program: program} // for its way of calling the program

	if word, told := dev.front(t, path); word != "200 portal 2" || !strings.Contains(told, "url=jdbc:postgresql://dev-db/portal") {
		t.Fatalf("dev: %q, %q", word, told)
	}
	s.coterie(t, 0, "", "bundle", "key", "--out", key)
	s.coterie(t, 0, "license.properties (per_host)", "bundle", "export", dev.root, "--profile", "appboard", "--tier", "dev", "--key", key, "--out", file)
	bring := []string{"bundle", "import", file, "--into", prod.root, "--tier", "prod", "--from-tier", "dev", "--trust", key + ".pub"}
	s.coterie(t, 10, "this host's own fields stay", append(bring, "-n")...)
	s.coterie(t, 0, "", append(bring, "-y")...)

	word, told := prod.front(t, path)
	if want := "license=of-prod"; word != "200 portal 2" || !strings.Contains(told, want) || !strings.Contains(told, "release=2") ||
		!strings.Contains(told, "url=jdbc:postgresql://prod-db/portal") || !strings.Contains(told, "password=of-prod") || strings.Contains(told, "dev") {
		t.Errorf("prod: %q, %q", word, told)
	}
	want := (&portal{ports: prod.ports, release: "2"}).serverXML()
	if got, err := os.ReadFile(filepath.Join(prod.root, "conf/server.xml")); err != nil || string(got) != want {
		t.Errorf("server.xml is, %v:\n%s\nwant:\n%s", err, got, want)
	}
	if text, err := os.ReadFile(filepath.Join(prod.root, "webapps/enportal/WEB-INF/config/custom.properties")); err != nil || string(text) != "release=2\n" {
		t.Errorf("custom.properties: %q, %v", text, err)
	}

	s.coterie(t, 0, "", "bundle", "import", "--undo", "--into", prod.root, "-y")
	// The old release has no such application yet, and serves from its own ports as it did.
	if word, _ := prod.front(t, path); word != "500 portal 1" && word != "404 portal 1" {
		t.Errorf("taken back: %q", word)
	}
}
