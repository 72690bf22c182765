package vouch_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/coordinator/vouch"
)

func (h *house) ask(node string, token *vouch.Token) vouch.Answer {
	h.t.Helper()
	answer, err := vouch.Ask(h.t.Context(), h.db, h.id(node), node, "host", token)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer
}

func (h *house) switchOn() {
	h.t.Helper()
	if done, err := vouch.SwitchOn(h.t.Context(), h.db, "ana", ""); err != nil || !done {
		h.t.Fatal(done, err)
	}
}

func TestNobodyIsTrustedWhomNobodyApproved(t *testing.T) {
	h := newHouse(t, "app-a")
	a := h.certificate("app-a", true)
	h.publish("app-a", a)
	if got := h.ask("app-a", nil); got != vouch.Open {
		t.Errorf("a cluster that asks nobody: %s", got)
	}
	h.switchOn()
	h.want("app-a=" + short(a)) // it was there before
	h.join("app-b")
	b := h.certificate("app-b", true)
	h.publish("app-b", b)
	h.want("app-a=" + short(a))
	if got := h.ask("app-b", nil); got != vouch.Pending {
		t.Errorf("got %s", got)
	}
	h.want("app-a=" + short(a))
	v, err := vouch.Look(t.Context(), h.db, "app-b", true, "")
	if err != nil || v.Admitted || v.State != "pending" {
		t.Errorf("%+v %v", v, err)
	}
	for _, p := range v.Peers {
		if p.Node == "app-b" {
			t.Error("who is not approved is called")
		}
	}
	all, err := vouch.Approvals(t.Context(), h.db, "app-b")
	if err != nil || len(all) != 1 || all[0].ID != h.id("app-b") {
		t.Fatalf("%v %v", all, err)
	}
	both := "app-a=" + short(a) + " app-b=" + short(b)
	for i, c := range []struct {
		to   vouch.Answer
		done bool
		want string
	}{{vouch.Approved, true, both}, {vouch.Approved, false, both}, {vouch.Withdrawn, true, "app-a=" + short(a)}} {
		if done, err := vouch.Decide(t.Context(), h.db, all[0], c.to, "ana", ""); err != nil || done != c.done {
			t.Errorf("%d: %v %v", i, done, err)
		}
		h.want(c.want)
	}
	if _, err := vouch.SwitchOff(t.Context(), h.db, "ana", ""); err != nil {
		t.Fatal(err)
	}
	h.want("app-a=" + short(a)) // what was withdrawn is out, also where nobody is asked
	if got := h.ask("app-b", nil); got != vouch.Withdrawn {
		t.Errorf("got %s", got)
	}
}

func (h *house) token(node string, good time.Duration) vouch.Token {
	h.t.Helper()
	token := vouch.NewToken()
	if _, err := token.Keep(h.t.Context(), h.db, node, good, "ana"); err != nil {
		h.t.Fatal(err)
	}
	return token
}

func TestATokenIsGoodOnceForOneInstallation(t *testing.T) {
	h := newHouse(t, "app-a")
	h.switchOn()
	for _, n := range []string{"app-b", "app-c", "app-d"} {
		h.join(n)
	}
	token := h.token("", time.Minute)
	read, err := vouch.ParseToken(token.Reveal() + "\n")
	if err != nil || read != token {
		t.Fatalf("read as another: %v", err)
	}
	stranger := vouch.NewToken()
	if got := h.ask("app-b", &stranger); got != vouch.Rejected {
		t.Errorf("a token that nobody made: %s", got)
	}
	for i := range 2 { // its answer was lost
		if got := h.ask("app-b", &token); got != vouch.Approved {
			t.Errorf("call %d: %s", i, got)
		}
	}
	if got := h.ask("app-c", &token); got != vouch.Rejected {
		t.Errorf("a second installation: %s", got)
	}
	named := h.token("app-d", time.Minute)
	if got := h.ask("app-c", &named); got != vouch.Rejected {
		t.Errorf("for another node: %s", got)
	}
	if got := h.ask("app-d", &named); got != vouch.Approved {
		t.Errorf("for this node: %s", got)
	}
	late := h.token("", time.Minute)
	h.db.MustExec(`UPDATE coterie.join_token SET made_at = made_at - interval '2min', expires_at = expires_at - interval '2min' WHERE id = $1`, late.ID())
	if got := h.ask("app-c", &late); got != vouch.Rejected {
		t.Errorf("expired: %s", got)
	}
	if _, err := vouch.NewToken().Keep(t.Context(), h.db, "", 8*24*time.Hour, "ana"); err == nil {
		t.Error("good for more than a week")
	}
}

func TestATokenIsNotGuessed(t *testing.T) {
	h := newHouse(t, "app-a")
	h.switchOn()
	h.join("app-b")
	token := h.token("", time.Minute)
	guess, err := vouch.ParseToken("coterie-join-" + token.ID() + "." + strings.Repeat("A", 43))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if got := h.ask("app-b", &guess); got != vouch.Rejected {
			t.Errorf("got %s", got)
		}
	}
	if got := h.ask("app-b", &token); got != vouch.Rejected {
		t.Errorf("after ten guesses: %s", got)
	}
}

func TestNoTokenStandsAnywhere(t *testing.T) {
	h := newHouse(t, "app-a")
	token := h.token("", time.Minute)
	_, secret, _ := strings.Cut(token.Reveal(), ".")
	for name, text := range map[string]string{"text": fmt.Sprint(token), "value": fmt.Sprintf("%v %+v", token, token), "Go": fmt.Sprintf("%#v", token), "log": token.LogValue().String()} {
		if strings.Contains(text, secret) {
			t.Errorf("%s has the secret: %s", name, text)
		}
	}
	if _, err := vouch.ParseToken("coterie-join-x." + secret); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("the error repeats it: %v", err)
	}
	var rows []string
	err := h.db.Select(&rows, `SELECT t::text FROM coterie.join_token t UNION ALL SELECT v::text FROM coterie.join_tokens v UNION ALL SELECT e::text FROM coterie.event e`)
	if err != nil || len(rows) < 3 {
		t.Fatal(len(rows), err)
	}
	for _, row := range rows {
		if strings.Contains(row, secret) {
			t.Errorf("a row has it: %s", row)
		}
	}
}
