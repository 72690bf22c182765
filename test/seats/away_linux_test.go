package seats

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// Whoever is seated stays while the database is away, others get what their node
// kept for that, and all of it is known to everybody soon after. What an agent kept
// that is killed then is free at once: its supervisor knows that it is gone.
func TestAnOutageCutsNobodyAndWhatADeadAgentKeptIsFreeAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t, `{name: floating, seats: 4, escrow: 1, escrow_for: 1h}`)
	a, b := o.node("app-a"), o.node("app-b")
	a.want(http.MethodPut, "ana", 200)
	o.Await(`SELECT escrowed = 2 FROM coterie.license_pools`)

	a.Link.Set(cluster.Weather{HoldUp: true, HoldDown: true})
	b.Link.Set(cluster.Weather{HoldUp: true, HoldDown: true})
	a.want(http.MethodPut, "ana", 200)
	a.want(http.MethodPut, "bob", 200)
	a.want(http.MethodPut, "cid", 503)
	b.want(http.MethodPut, "bob", 200)
	time.Sleep(terms.TTL) // their sessions are over, and nobody is there to end them
	a.want(http.MethodPut, "ana", 200)
	a.want(http.MethodPut, "bob", 200)
	a.want(http.MethodDelete, "ana", 200)
	a.Link.Set(cluster.Weather{})
	b.Link.Set(cluster.Weather{})
	begun := time.Now()
	o.Await(`SELECT count(*) = 1 AND bool_and(holder = 'bob' AND nodes = '{app-a,app-b}' AND kind = 'seat') FROM coterie.license_seats`)
	took := time.Since(begun).Round(10 * time.Millisecond)
	t.Logf("what was granted meanwhile was known %v after the return of the database", took)
	if took > 10*time.Second {
		t.Errorf("reconciled after %v", took)
	}
	o.Await(`SELECT count(*) = 2 FROM coterie.license_events WHERE kind = 'away' AND holder = 'bob'`)
	o.Await(`SELECT escrowed = 2 FROM coterie.license_pools`)

	a.Signal(a.Agent(), syscall.SIGKILL)
	o.Await(`SELECT count(*) = 1 FROM coterie.session`)
	for _, holder := range []string{"bob", "u1", "u2", "u3"} {
		b.want(http.MethodPut, holder, 200)
	}
	b.want(http.MethodPut, "u4", 409)
	o.whole()
}
