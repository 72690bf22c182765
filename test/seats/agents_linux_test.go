package seats

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

func TestMain(m *testing.M) { cluster.Main(m) }

var terms = cluster.Terms{TTL: 2 * time.Second, Heartbeat: 400 * time.Millisecond, Margin: 500 * time.Millisecond}

// office is a cluster whose agents give seats.
type office struct {
	*cluster.Cluster
	t *testing.T
}

// newOffice has pools as coterie license apply takes them.
func newOffice(t *testing.T, pools ...string) *office {
	t.Helper()
	o := &office{cluster.Start(t, cluster.Options{Terms: terms}), t}
	file := filepath.Join(o.Dir, "pools.yaml")
	if err := os.WriteFile(file, []byte("pools:\n  - "+strings.Join(pools, "\n  - ")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := o.Run("-c", filepath.Join(o.Dir, "admin.yaml"), "license", "apply", "-f", file, "-y"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	return o
}

// agent is a node with its socket.
type agent struct {
	*cluster.Node
	o      *office
	socket string
	web    *http.Client
}

func (o *office) node(name string) *agent {
	o.t.Helper()
	a := &agent{o: o, socket: filepath.Join(o.Dir, name+".sock")}
	a.Node = o.Add(name, cluster.NodeOptions{Env: []string{"COTERIE_HTTP_SOCKET=" + a.socket}})
	a.web = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", a.socket)
	}}}
	a.Start()
	o.AwaitReady()
	return a
}

// ask asks for a seat (PUT) or gives it back (DELETE), and tells the status.
func (a *agent) ask(method, holder string) int {
	a.o.t.Helper()
	req, err := http.NewRequestWithContext(a.o.t.Context(), method, "http://agent/v1/licenses/floating/holders/"+holder+"?session=s1", nil)
	if err != nil {
		a.o.t.Fatal(err)
	}
	resp, err := a.web.Do(req)
	if err != nil {
		return 0
	}
	if err := resp.Body.Close(); err != nil {
		a.o.t.Fatal(err)
	}
	return resp.StatusCode
}

func (a *agent) want(method, holder string, status int) {
	a.o.t.Helper()
	if got := a.ask(method, holder); got != status {
		a.o.t.Errorf("%s %s at %s: %d, want %d", method, holder, a.Name, got, status)
	}
}

// noted waits until the node has noted on its disk that they are at work.
func (a *agent) noted(holders ...string) {
	a.o.t.Helper()
	note := filepath.Join(strings.TrimSuffix(a.Config(), ".yaml")+".state", "licenses.memory")
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(note)
		if !slices.ContainsFunc(holders, func(h string) bool { return !strings.Contains(string(text), `"`+h+`"`) }) {
			return
		}
		if time.Since(begun) > 30*time.Second {
			a.o.t.Fatalf("who is at work is not noted: %v\n%s", err, text)
		}
	}
}

// whole sees that what is counted is what there is.
func (o *office) whole() {
	o.t.Helper()
	if bad := cluster.All[string](o.Cluster, `SELECT invariant || ' ' || subject || ': ' || text FROM coterie.violations`); len(bad) > 0 {
		o.t.Errorf("violations: %v", bad)
	}
}

func TestWhoIsAtWorkIsNotCutWhenTheAgentIsKilled(t *testing.T) {
	t.Parallel()
	o := newOffice(t, `{name: floating, seats: 2}`)
	a, b := o.node("app-a"), o.node("app-b")
	a.want(http.MethodPut, "ana", 200)
	a.want(http.MethodPut, "bob", 200)
	a.noted("ana", "bob")
	a.KillHost()
	begun := time.Now()
	for b.ask(http.MethodPut, "cid") != 200 {
		if time.Since(begun) > terms.TTL+3*time.Second {
			t.Fatal("the seats of a host that was lost are not given to others")
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("a lost host's seat was free after %v", time.Since(begun).Round(10*time.Millisecond))
	a.Start()
	o.Await(`SELECT in_use = 2 AND excess = 1 FROM coterie.license_pools`)
	a.want(http.MethodPut, "ana", 200)
	a.want(http.MethodPut, "bob", 200)
	a.want(http.MethodPut, "dan", 409)
	b.want(http.MethodDelete, "cid", 200)
	o.Await(`SELECT in_use = 2 AND excess = 0 FROM coterie.license_pools`)
	o.whole()
}

// A node that is frozen for longer than its session lives loses its seats to
// others; when it goes on its users are counted apart, and the first free seat is theirs.
func TestAFrozenAgentsSeatsAreGivenToOthersAndItLearnsOfThat(t *testing.T) {
	t.Parallel()
	o := newOffice(t, `{name: floating, seats: 1}`)
	a, b := o.node("app-a"), o.node("app-b")
	a.want(http.MethodPut, "ana", 200)
	b.want(http.MethodPut, "bob", 409)
	thaw := a.Freeze()
	begun := time.Now()
	for b.ask(http.MethodPut, "bob") != 200 {
		if time.Since(begun) > 3*terms.TTL {
			t.Fatal("the seat of a frozen node is not given to others")
		}
		time.Sleep(50 * time.Millisecond)
	}
	thaw()
	o.Await(`SELECT count(*) = 2 FROM coterie.session`)
	o.Await(`SELECT in_use = 1 AND excess = 1 FROM coterie.license_pools`)
	a.want(http.MethodPut, "ana", 200) // nobody at work is cut
	a.want(http.MethodPut, "cid", 409)
	b.want(http.MethodDelete, "bob", 200)
	o.Await(`SELECT in_use = 1 AND excess = 0 FROM coterie.license_pools`)
	if got := cluster.Get[string](o.Cluster, `SELECT holder FROM coterie.license_seats WHERE kind = 'seat'`); got != "ana" {
		t.Errorf("the free seat is %s's", got)
	}
	o.whole()
}

// Two agents with one id: the second is refused, and the seats of the first stay.
func TestACopyOfANodeTakesNoSeatFromIt(t *testing.T) {
	t.Parallel()
	o := newOffice(t, `{name: floating, seats: 1}`)
	a := o.node("app-a")
	a.want(http.MethodPut, "ana", 200)
	state := strings.TrimSuffix(a.Config(), ".yaml") + ".state"
	twin := filepath.Join(o.Dir, "twin")
	text, err := os.ReadFile(a.Config())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", state, twin+".state").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	copied := strings.Replace(string(text), "{name: app-a}", "{name: app-a, address: 192.0.2.7}", 1)
	if err := os.WriteFile(twin+".yaml", []byte(copied), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.Program(), "-c", twin+".yaml", "agent")
	cmd.Env = append(os.Environ(), "COTERIE_HTTP_SOCKET="+twin+".sock")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || ctx.Err() != nil || !strings.Contains(string(out), "COT-601") {
		t.Errorf("the copy ended with %v and said %s", err, out)
	}
	if got := cluster.Get[string](o.Cluster, `SELECT format('%s %s %s', in_use, excess, denied_24h) FROM coterie.license_pools`); got != "1 0 0" {
		t.Errorf("in use, excess, denied: %s", got)
	}
	a.want(http.MethodPut, "ana", 200)
	a.want(http.MethodPut, "bob", 409)
	o.whole()
}

// A standby that lacks the last grants and check-ins takes over: nodes say who is
// at work, and what the standby still has of others is void.
func TestAPromotionThatLosesGrantsLeavesWhoIsAtWork(t *testing.T) {
	if testing.Short() {
		t.Skip("a standby and a new era take a while, and three tests of leases show the same of grants: make test TESTFLAGS=")
	}
	t.Parallel()
	o := newOffice(t, `{name: floating, seats: 2}`)
	if err := o.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, b := o.node("app-a"), o.node("app-b")
	a.want(http.MethodPut, "ana", 200)
	err := o.FailOver(t.Context(), func() error { // of which the standby hears nothing
		a.want(http.MethodDelete, "ana", 200)
		a.want(http.MethodPut, "bob", 200)
		b.want(http.MethodPut, "cid", 200)
		b.want(http.MethodPut, "dan", 409)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Await(`SELECT era > 0 AND era_settled FROM coterie.cluster`)
	o.Await(`SELECT in_use = 2 AND excess = 0 FROM coterie.license_pools`)
	if got := cluster.Get[string](o.Cluster, `SELECT string_agg(holder, ' ' ORDER BY holder) FROM coterie.license_seats`); got != "bob cid" {
		t.Errorf("seated after the promotion: %s", got)
	}
	a.want(http.MethodPut, "bob", 200)
	b.want(http.MethodPut, "dan", 409)
	o.whole()
}

func TestTheExampleInGoHoldsASeatWhileItRuns(t *testing.T) {
	t.Parallel()
	o := newOffice(t, `{name: floating, seats: 1}`)
	a := o.node("app-a")
	seat := filepath.Join(t.TempDir(), "seat")
	run(t, "../..", nil, "go", "build", "-buildvcs=false", "-o", seat, "./deploy/examples/licenses/go")
	hold := func(holder string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), seat, "-holder", holder, "-socket", a.socket)
		cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
		return cmd
	}
	ana := hold("ana")
	if err := ana.Start(); err != nil {
		t.Fatal(err)
	}
	o.Await(`SELECT in_use = 1 FROM coterie.license_pools`)
	if err := hold("bob").Run(); err == nil {
		t.Error("bob was let in")
	}
	if err := ana.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := ana.Wait(); err != nil {
		t.Error(fmt.Errorf("it ended with %w", err))
	}
	o.Await(`SELECT in_use = 0 FROM coterie.license_pools`)
	o.whole()
}
