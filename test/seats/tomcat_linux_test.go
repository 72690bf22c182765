package seats

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/test/cluster"
)

// libraries are the jars of a Tomcat that a distribution brings.
func libraries(t *testing.T, tomcat string) (jars []string, api string) {
	t.Helper()
	dir := os.Getenv("COTERIE_TOMCAT_JARS")
	if dir == "" {
		dir = "/usr/share/java"
	}
	for _, name := range []string{"annotations-api", "api", "catalina", "coyote", "el-api", "jasper", "jasper-el", "jaspic-api", "jni", "jsp-api", "juli", "servlet-api", "util", "util-scan"} {
		jar := filepath.Join(dir, tomcat+"-"+name+".jar")
		if _, err := os.Stat(jar); err == nil {
			jars = append(jars, jar)
		}
	}
	for _, ecj := range []string{"ecj.jar", "org.eclipse.jdt.core.jar"} {
		if jar := filepath.Join(dir, ecj); exists(jar) {
			jars = append(jars, jar)
		}
	}
	return jars, filepath.Join(dir, tomcat+"-servlet-api.jar")
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func run(t *testing.T, dir string, env []string, argv ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

// container is a Tomcat whose application has the example's filter.
type container struct {
	*testing.T
	port  string
	in    io.Writer
	out   *bufio.Scanner
	users map[string]*http.Client
}

// webXML is the example's, for an application that wants its users to log in.
func webXML(t *testing.T, socket string) string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/examples/licenses/java/web.xml")
	if err != nil {
		t.Fatal(err)
	}
	const ours = "<init-param><param-name>pool</param-name>"
	if !strings.Contains(string(text), ours) {
		t.Fatalf("the example has no %s", ours)
	}
	with := strings.Replace(string(text), ours, fmt.Sprintf("<init-param><param-name>socket</param-name><param-value>%s</param-value></init-param>\n"+
		"    <init-param><param-name>renew</param-name><param-value>0</param-value></init-param>\n    %s", socket, ours), 1)
	return strings.Replace(with, "</web-app>", `  <security-constraint>
    <web-resource-collection><web-resource-name>all</web-resource-name><url-pattern>/*</url-pattern></web-resource-collection>
    <auth-constraint><role-name>user</role-name></auth-constraint>
  </security-constraint>
  <login-config><auth-method>BASIC</auth-method></login-config>
  <security-role><role-name>user</role-name></security-role>
</web-app>`, 1)
}

func startTomcat(t *testing.T, tomcat, socket string) *container {
	t.Helper()
	jars, api := libraries(t, tomcat)
	base := t.TempDir()
	app := filepath.Join(base, "app")
	for _, dir := range []string{filepath.Join(base, "webapps"), filepath.Join(base, "classes"), filepath.Join(app, "WEB-INF", "lib")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range map[string]string{"index.html": "welcome", "WEB-INF/web.xml": webXML(t, socket)} {
		if err := os.WriteFile(filepath.Join(app, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "../../deploy/examples/licenses/java", []string{"SERVLET_API=" + api}, "./build.sh", filepath.Join(app, "WEB-INF", "lib", "seat-filter.jar"))
	path := strings.Join(jars, ":")
	run(t, "testdata", nil, "javac", "-d", filepath.Join(base, "classes"), "-cp", path, "Server.java")

	cmd := exec.CommandContext(t.Context(), "java", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(base, "classes")+":"+path, "Server", base, app)
	log, err := os.Create(filepath.Join(base, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		_ = cmd.Process.Kill() // what it said stands in its log
		_ = cmd.Wait()
		if text, err := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("Tomcat: %s (%v)", text, err)
		}
	})
	c := &container{T: t, in: in, out: bufio.NewScanner(out), users: map[string]*http.Client{}}
	c.port = c.says("listens ")
	return c
}

// says waits for a line of the container, and returns the rest of it.
func (c *container) says(word string) string {
	c.Helper()
	for c.out.Scan() {
		if rest, ok := strings.CutPrefix(c.out.Text(), word); ok {
			return rest
		}
	}
	c.Fatalf("the container ended and did not say %q", word)
	return ""
}

// expire ends all sessions of the application.
func (c *container) expire() {
	c.Helper()
	if _, err := io.WriteString(c.in, "expire\n"); err != nil {
		c.Fatal(err)
	}
	c.says("expired ")
}

// opens has a user open a page, in one of his browsers.
func (c *container) opens(user, browser string) int {
	c.Helper()
	web := c.users[user+browser]
	if web == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			c.Fatal(err)
		}
		web = &http.Client{Jar: jar}
		c.users[user+browser] = web
	}
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, "http://127.0.0.1:"+c.port+"/index.html", nil)
	if err != nil {
		c.Fatal(err)
	}
	req.SetBasicAuth(user, "pw")
	resp, err := web.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK && string(text) != "welcome" || resp.StatusCode == http.StatusServiceUnavailable && !strings.Contains(string(text), "No licence seat is free") {
		c.Errorf("%s: %d %s", user, resp.StatusCode, text)
	}
	return resp.StatusCode
}

func (c *container) want(user, browser string, status int) {
	c.Helper()
	if got := c.opens(user, browser); got != status {
		c.Errorf("%s by %s: %d, want %d", user, browser, got, status)
	}
}

// Under COTERIE_CI Tomcat must be there: make tomcat.
func TestATomcatLetsInWhoHasASeat(t *testing.T) {
	t.Parallel()
	found := false
	for _, tomcat := range []string{"tomcat9", "tomcat10"} {
		jars, api := libraries(t, tomcat)
		if !exists(api) || len(jars) < 10 {
			continue
		}
		if _, err := exec.LookPath("javac"); err != nil || found && testing.Short() {
			continue
		}
		found = true
		t.Run(tomcat, func(t *testing.T) { letIn(t, tomcat) })
	}
	switch {
	case found:
	case os.Getenv("COTERIE_CI") != "":
		t.Fatal("NO TOMCAT, and the filter for it is not shown to work: make tomcat installs one")
	default:
		t.Skip("NO TOMCAT: the servlet filter is not tried (make tomcat installs one)")
	}
}

func letIn(t *testing.T, tomcat string) {
	o := newOffice(t, `{name: floating, seats: 1, idle: 10m}`)
	n := o.node("app-a")
	c := startTomcat(t, tomcat, n.socket)
	held := func(who string, seats, uses int) {
		t.Helper()
		o.Await(`SELECT coalesce(string_agg(holder, ',' ORDER BY holder), '') = $1 AND count(*) = $2 AND coalesce(sum(uses), 0) = $3 FROM coterie.license_seats`, who, seats, uses)
	}
	c.want("ana", "one", http.StatusOK)
	c.want("ana", "one", http.StatusOK) // with another session id, which Tomcat gives to whoever logs in
	held("ana", 1, 1)
	c.want("ana", "another", http.StatusOK) // two reasons, one seat
	held("ana", 1, 2)
	c.want("bob", "one", http.StatusServiceUnavailable)
	if got := cluster.Get[string](o.Cluster, `SELECT holder || ': ' || reason FROM coterie.license_denials`); got != "bob: all 1 seats are taken" {
		t.Errorf("refused: %s", got)
	}
	// The agent goes: whoever is in stays in, and the filter lets others in by its rule.
	former := cluster.Get[int64](o.Cluster, `SELECT incarnation FROM coterie.nodes`)
	n.KillHost()
	c.want("ana", "one", http.StatusOK)
	c.want("cid", "one", http.StatusOK)
	n.Start()
	o.Await(`SELECT state = 'ready' AND incarnation <> $1 FROM coterie.nodes`, former)
	c.want("ana", "one", http.StatusOK)
	o.Await(`SELECT in_use = 1 AND excess = 0 FROM coterie.license_pools`)
	c.expire()
	held("", 0, 0)
	c.want("bob", "one", http.StatusOK)
	held("bob", 1, 1)
	c.want("ana", "one", http.StatusServiceUnavailable)
}
