package vouch_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/coordinator/vouch"
	"github.com/coterie-ha/coterie/keystore/trust"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// house is a database with nodes that live.
type house struct {
	t    *testing.T
	db   *sqlx.DB
	keys map[string]ed25519.PrivateKey
	next int64
}

func newHouse(t *testing.T, nodes ...string) *house {
	t.Helper()
	h := &house{t: t, db: sqltest.New(t).DB, keys: map[string]ed25519.PrivateKey{}}
	h.db.MustExec(`SELECT coterie.cluster_init('deploy-prod')`)
	for _, n := range nodes {
		h.join(n)
	}
	return h
}

func life(node string) int64 { return int64(node[len(node)-1]) }

func idOf(key ed25519.PrivateKey) string {
	sum := sha256.Sum256(key.Public().(ed25519.PublicKey))
	return hex.EncodeToString(sum[:16])
}

func (h *house) id(node string) string { return idOf(h.keys[node]) }

func (h *house) join(node string) {
	h.t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	h.keys[node] = key
	h.db.MustExec(`SELECT coterie.node_join('deploy-prod', $1, $2, '', 'host', '', '', '{}', true, 1, '{}')`, node, h.id(node))
	h.db.MustExec(`INSERT INTO coterie.session (node, incarnation, ttl, expires_at) VALUES ($1, $2, '6s', coterie.clock() + interval '1 hour')`, node, life(node))
}

// certificate is a new one for a node.
func (h *house) certificate(node string, served bool) vouch.Certificate {
	h.t.Helper()
	h.next++
	c := &x509.Certificate{SerialNumber: big.NewInt(h.next), Subject: pkix.Name{CommonName: node}, NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, h.keys[node].Public(), h.keys[node])
	if err != nil {
		h.t.Fatal(err)
	}
	return vouch.Certificate{DER: der, Signature: make([]byte, 64), Subject: "CN=" + node, NotBefore: c.NotBefore, NotAfter: c.NotAfter, Served: served}
}

func (h *house) self(node string) vouch.Self {
	return vouch.Self{DB: h.db, Node: node, Incarnation: life(node)}
}

func (h *house) publish(node string, certs ...vouch.Certificate) {
	h.t.Helper()
	p := vouch.Publication{Address: node + ".example.org:8443", Identity: h.keys[node].Public().(ed25519.PublicKey), Certificates: certs}
	if living, err := h.self(node).Publish(h.t.Context(), p); err != nil || !living {
		h.t.Fatalf("publish: %v %v", living, err)
	}
}

// trusted are the aliases of the newest trust store, and what they name by its first
// eight digits.
func (h *house) trusted() string {
	h.t.Helper()
	var all []string
	if err := h.db.Select(&all, `SELECT alias || '=' || left(fingerprint, 8) FROM coterie.trust_entries ORDER BY alias COLLATE "C"`); err != nil {
		h.t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func (h *house) want(text string) {
	h.t.Helper()
	if got := h.trusted(); got != text {
		h.t.Errorf("trusted: %q, want %q", got, text)
	}
}

// later lets time pass: rows become older.
func (h *house) later(by string) {
	h.t.Helper()
	h.db.MustExec(`UPDATE coterie.trust_certificate SET dropped_at = dropped_at - $1::interval`, by)
	h.db.MustExec(`UPDATE coterie.node SET state_at = state_at - $1::interval`, by)
	v, err := vouch.Look(h.t.Context(), h.db, "app-a", true, "")
	if err != nil {
		h.t.Fatal(err)
	}
	if v.Unsettled {
		if _, err := vouch.Settle(h.t.Context(), h.db, "test"); err != nil {
			h.t.Fatal(err)
		}
	}
}

func short(c vouch.Certificate) string { return trust.Fingerprint(c.DER)[:8] }

func TestOldAndNextCertificateAreBothTrustedWhileItIsReplaced(t *testing.T) {
	h := newHouse(t, "app-a", "app-b")
	one, other := h.certificate("app-a", true), h.certificate("app-b", true)
	h.publish("app-a", one)
	h.publish("app-b", other)
	h.publish("app-b", other) // saying it twice is no news
	h.want("app-a=" + short(one) + " app-b=" + short(other))
	next := h.certificate("app-a", false)
	h.publish("app-a", one, next)
	h.want("app-a=" + short(one) + " app-a:" + short(next) + "=" + short(next) + " app-b=" + short(other))
	next.Served = true
	h.publish("app-a", next)
	h.want("app-a=" + short(next) + " app-a:" + short(one) + "=" + short(one) + " app-b=" + short(other))
	h.later("9min")
	h.want("app-a=" + short(next) + " app-a:" + short(one) + "=" + short(one) + " app-b=" + short(other))
	h.later("1min")
	h.want("app-a=" + short(next) + " app-b=" + short(other))
	h.publish("app-a", one) // it went back
	h.want("app-a=" + short(one) + " app-a:" + short(next) + "=" + short(next) + " app-b=" + short(other))
	var versions []int64
	if err := h.db.Select(&versions, `SELECT version FROM coterie.trust_certificates ORDER BY version, node`); err != nil || !slices.Equal(versions, []int64{1, 1, 2}) {
		t.Errorf("versions %v, %v", versions, err)
	}
	var events int
	if err := h.db.Get(&events, `SELECT count(*) FROM coterie.events WHERE kind = 'trust.changed'`); err != nil || events != 6 {
		t.Errorf("%d new versions, %v", events, err)
	}
}

func TestANodeHasAFewCertificatesHoweverManyItPublishes(t *testing.T) {
	h := newHouse(t, "app-a")
	for range 5 {
		var all []vouch.Certificate
		for range 8 {
			all = append(all, h.certificate("app-a", true))
		}
		h.publish("app-a", all...)
	}
	if got := len(strings.Fields(h.trusted())); got != 16 {
		t.Errorf("%d are trusted", got)
	}
	p := vouch.Publication{Identity: h.keys["app-a"].Public().(ed25519.PublicKey)}
	for range 9 {
		p.Certificates = append(p.Certificates, h.certificate("app-a", true))
	}
	if _, err := h.self("app-a").Publish(t.Context(), p); err == nil {
		t.Error("nine at once")
	}
}

func TestAServerThatCannotBeAskedGivesNothingUp(t *testing.T) {
	h := newHouse(t, "app-a")
	one := h.certificate("app-a", true)
	h.publish("app-a", one)
	p := vouch.Publication{Identity: h.keys["app-a"].Public().(ed25519.PublicKey), Some: true}
	if _, err := h.self("app-a").Publish(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	h.later("1 day")
	h.want("app-a=" + short(one))
}

func TestOnlyTheLivingNodeSpeaksForItself(t *testing.T) {
	h := newHouse(t, "app-a", "app-b")
	h.publish("app-a", h.certificate("app-a", true))
	before := h.trusted()
	dead := vouch.Self{DB: h.db, Node: "app-a", Incarnation: 1}
	p := vouch.Publication{Identity: h.keys["app-a"].Public().(ed25519.PublicKey), Certificates: []vouch.Certificate{h.certificate("app-a", true)}}
	if living, err := dead.Publish(t.Context(), p); living || err != nil {
		t.Errorf("a former life: %v %v", living, err)
	}
	if living, err := dead.Report(t.Context(), vouch.Rendering{State: "rendered"}, ""); living || err != nil {
		t.Errorf("a former life: %v %v", living, err)
	}
	if living, err := dead.Tested(t.Context(), 1, []trust.Call{{Node: "app-b", Result: trust.OK}}); living || err != nil {
		t.Errorf("a former life: %v %v", living, err)
	}
	p.Identity = h.keys["app-b"].Public().(ed25519.PublicKey)
	_, err := h.self("app-a").Publish(t.Context(), p)
	if said, ok := errors.AsType[*pq.Error](err); !ok || said.Code != "CT050" {
		t.Errorf("the identity of another: %v", err)
	}
	h.want(before)
}

func TestANodeThatLeftIsTrustedForAWhileAndOneThatWasEvictedIsNot(t *testing.T) {
	h := newHouse(t, "app-a", "app-b", "app-c")
	certs := map[string]string{}
	for _, n := range []string{"app-a", "app-b", "app-c"} {
		c := h.certificate(n, true)
		h.publish(n, c)
		certs[n] = n + "=" + short(c)
	}
	all := certs["app-a"] + " " + certs["app-b"] + " " + certs["app-c"]
	_, err := vouch.Evict(t.Context(), h.db, "app-c", "ana", "")
	if refused, ok := errors.AsType[*vouch.RefusedError](err); !ok || refused.Code != vouch.Living {
		t.Errorf("a node that lives: %v", err)
	}
	h.db.MustExec(`DELETE FROM coterie.session WHERE node IN ('app-b', 'app-c')`)
	h.want(all)
	h.db.MustExec(`UPDATE coterie.node SET state = 'left', state_at = coterie.clock() WHERE name = 'app-b'`)
	h.later("9min")
	h.want(all)
	h.later("1min")
	h.want(certs["app-a"] + " " + certs["app-c"])
	for i, want := range []bool{true, false} {
		if done, err := vouch.Evict(t.Context(), h.db, "app-c", "ana", "sold"); err != nil || done != want {
			t.Errorf("call %d: %v %v", i, done, err)
		}
	}
	h.want(certs["app-a"])
	var rows int
	again := func() int {
		if err := h.db.Get(&rows, `SELECT count(*) FROM coterie.node_join('deploy-prod', 'app-c', $1, '', '', '', '', '{}', true, 1, '{}')`, h.id("app-c")); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if again() != 0 {
		t.Error("it came back by itself")
	}
	if _, err := vouch.Decide(t.Context(), h.db, vouch.Approval{Node: "app-c", ID: h.id("app-c")}, vouch.Approved, "ana", ""); err != nil {
		t.Fatal(err)
	}
	if again() != 1 {
		t.Error("it was approved, and may not come back")
	}
	h.want(certs["app-a"] + " " + certs["app-c"])
}

func TestWhatOperatorsAddIsTrustedUnderOneAlias(t *testing.T) {
	h := newHouse(t, "app-a")
	parse := func(c vouch.Certificate) *x509.Certificate {
		parsed, err := x509.ParseCertificate(c.DER)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	ca, other := h.certificate("app-a", false), h.certificate("app-a", false)
	for i, want := range []bool{true, false} {
		if done, err := vouch.Add(t.Context(), h.db, "ca", parse(ca), "ana", "why"); err != nil || done != want {
			t.Errorf("call %d: %v %v", i, done, err)
		}
	}
	for alias, c := range map[string]vouch.Certificate{"ca": other, "again": ca} {
		_, err := vouch.Add(t.Context(), h.db, alias, parse(c), "bob", "")
		if refused, ok := errors.AsType[*vouch.RefusedError](err); !ok || refused.Code != vouch.Taken {
			t.Errorf("%s: %v", alias, err)
		}
	}
	h.want("added:ca=" + short(ca))
	for i, want := range []bool{true, false} {
		if done, err := vouch.Remove(t.Context(), h.db, "ca", "ana", ""); err != nil || done != want {
			t.Errorf("call %d: %v %v", i, done, err)
		}
	}
	h.want("")
}

func TestResultsAreThoseOfTheDatabase(t *testing.T) {
	h := newHouse(t)
	var labels []string
	if err := h.db.Select(&labels, `SELECT unnest(enum_range(NULL::coterie.trust_result))::text`); err != nil {
		t.Fatal(err)
	}
	var ours []string
	for _, r := range []trust.Result{trust.OK, trust.UnknownIssuer, trust.NameMismatch, trust.Expired, trust.NotYetValid, trust.Unfit,
		trust.Refused, trust.Unreachable, trust.TimedOut, trust.NoTLS, trust.NoStore} {
		ours = append(ours, string(r))
	}
	if !slices.Equal(labels, ours) {
		t.Errorf("the database has %v, the program %v", labels, ours)
	}
}

func TestFailingPairsAndMissingStoresAreFindings(t *testing.T) {
	h := newHouse(t, "app-a", "app-b")
	h.publish("app-a", h.certificate("app-a", true))
	h.publish("app-b", h.certificate("app-b", true))
	v, err := vouch.Look(t.Context(), h.db, "app-a", true, "")
	if err != nil || len(v.Peers) != 2 || len(v.Entries) != 2 || trust.Digest(v.Entries) != v.Digest {
		t.Fatalf("%+v, %v", v, err)
	}
	if v, err := vouch.Look(t.Context(), h.db, "app-a", true, v.Digest); err != nil || v.Entries != nil {
		t.Errorf("what the caller has is sent again: %v", err)
	}
	for _, n := range []string{"app-a", "app-b"} {
		if _, err := h.self(n).Report(t.Context(), vouch.Rendering{Version: v.Version, Digest: v.Digest, State: "rendered"}, ""); err != nil {
			t.Fatal(err)
		}
	}
	tested := func(result trust.Result) {
		calls := []trust.Call{{Node: "app-b", Result: result, Detail: "words", Latency: time.Millisecond}, {Node: "app-a", Result: trust.OK}, {Node: "nobody", Result: trust.OK}}
		if living, err := h.self("app-a").Tested(t.Context(), v.Version, calls); err != nil || !living {
			t.Fatal(living, err)
		}
	}
	findingsOf := func(like string) string {
		var all []string
		if err := h.db.Select(&all, `SELECT code || ' ' || subject || ': ' || text || ' > ' || remedy FROM coterie.findings WHERE code LIKE $1 ORDER BY 1`, like); err != nil {
			t.Fatal(err)
		}
		return strings.Join(all, "\n")
	}
	findings := func() string { return findingsOf("COT-94%") }
	if got := findingsOf("COT-530"); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "COT-530 app-a: trust store: the certificate app-a of CN=app-a ends on ") {
		t.Errorf("certificates that end in an hour: %s", got)
	}
	tested(trust.OK)
	if got := findings(); got != "" {
		t.Errorf("all is well, and told: %s", got)
	}
	for _, r := range []trust.Result{trust.UnknownIssuer, trust.NameMismatch, trust.Expired, trust.NotYetValid, trust.Unfit, trust.Refused, trust.Unreachable, trust.TimedOut, trust.NoTLS, trust.NoStore} {
		tested(r)
		if got := findings(); !strings.HasPrefix(got, "COT-940 app-a to app-b: app-a cannot call the server of app-b: words > ") || strings.Contains(got, "\n") {
			t.Errorf("%s: %s", r, got)
		}
	}
	tested(trust.OK)
	if _, err := h.self("app-b").Report(t.Context(), vouch.Rendering{State: "foreign", Error: "it is somebody else's"}, "put right"); err != nil {
		t.Fatal(err)
	}
	if got := findings(); !strings.HasPrefix(got, fmt.Sprintf("COT-941 app-b: app-b has version 0 of the trust store, the newest is %d: it is somebody else's > ", v.Version)) {
		t.Errorf("foreign: %s", got)
	}
}
