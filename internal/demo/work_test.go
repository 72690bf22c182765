package demo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// worker is a run of a job on a share that was laid out.
func worker(t *testing.T, share, job, token string) (*Work, *strings.Builder) {
	t.Helper()
	var out strings.Builder
	env := map[string]string{"COTERIE_JOB": job, "COTERIE_DUE_AT": "2026-11-21T12:00:00Z", "COTERIE_TOKEN": token, "COTERIE_NODE": "app-a"}
	return &Work{Share: share, Out: &out, Env: func(name string) string { return env[name] }, Pace: time.Millisecond}, &out
}

func laidOut(t *testing.T) string {
	t.Helper()
	share := t.TempDir()
	if err := layOut(share); err != nil {
		t.Fatal(err)
	}
	return share
}

func says(t *testing.T, share string) string {
	t.Helper()
	all, err := witness(filepath.Join(share, witnessName)).tell()
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, s := range all {
		words = append(words, s.Says)
	}
	return strings.Join(words, " ")
}

func TestEachWorkDoesWhatItSaysAndTellsTheWitness(t *testing.T) {
	for name, want := range map[string]string{
		expireLogs:       "expired 20 of 20 logs",
		verifyRepository: "verified 48 artifacts",
		auditDigest:      "digest of 0 entries",
		rotateReport:     "report of 0 lines put aside",
		tick:             "",
	} {
		t.Run(name, func(t *testing.T) {
			share := laidOut(t)
			w, out := worker(t, share, name, "7")
			if err := w.Do(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(out.String()); got != want {
				t.Errorf("said %q, want %q", got, want)
			}
			if got := says(t, share); got != "start done" {
				t.Errorf("the witness heard %q", got)
			}
		})
	}
}

func TestADamagedArtifactFailsTheRun(t *testing.T) {
	share := laidOut(t)
	if err := appendLine(filepath.Join(share, repositoryDir, "component-03.zip"), "more"); err != nil {
		t.Fatal(err)
	}
	w, out := worker(t, share, verifyRepository, "7")
	if err := w.Do(t.Context(), verifyRepository); err == nil || !strings.Contains(out.String(), "component-03.zip") {
		t.Errorf("got %v and %q", err, out)
	}
	if got := says(t, share); got != "start" {
		t.Errorf("the witness heard %q", got)
	}
}

func TestARunThatWasOvertakenMakesNoEffect(t *testing.T) {
	share := laidOut(t)
	report := filepath.Join(share, reportsDir, reportName)
	w, _ := worker(t, share, rotateReport, "41")
	if err := w.identify(); err != nil {
		t.Fatal(err)
	}
	if err := w.say(saysStart); err != nil {
		t.Fatal(err)
	}
	effect, err := w.rotateReport(t.Context())
	if err != nil || effect == nil {
		t.Fatal(err)
	}
	next, _ := worker(t, share, rotateReport, "42") // while the first is frozen
	if err := next.Do(t.Context(), rotateReport); err != nil {
		t.Fatal(err)
	}
	stale, ok := errors.AsType[*StaleError](w.mayStill())
	if !ok || stale.Error() != "write refused: token 41 < 42" {
		t.Errorf("got %v, want a refusal", stale)
	}
	if got := says(t, share); got != "start start done refused" {
		t.Errorf("the witness heard %q", got)
	}
	late, _ := worker(t, share, rotateReport, "41")
	if _, ok := errors.AsType[*StaleError](late.Do(t.Context(), rotateReport)); !ok {
		t.Error("a run with an old token was let begin")
	}
	if _, err := os.Stat(report + ".2"); err == nil {
		t.Error("the report was rotated twice")
	}
}

func TestAnotherJobsTokensDoNotMatter(t *testing.T) {
	share := laidOut(t)
	high, _ := worker(t, share, "other", "99")
	low, _ := worker(t, share, "this", "3")
	if err := errors.Join(high.Do(t.Context(), tick), low.Do(t.Context(), tick)); err != nil {
		t.Error(err)
	}
}

func TestTestimonyIsReadAsItWasWritten(t *testing.T) {
	want := testimony{Says: saysDone, Job: "a.b-c", Due: noon.Add(1500 * time.Microsecond), Token: 1 << 41, Node: "app-a", PID: 4711}
	got, err := parseTestimony(want.String())
	if err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "done j", "done j due=x token=1 node=a pid=1", "done j due=2026-11-21T12:00:00Z token=1 node=a pid"} {
		if _, err := parseTestimony(bad); err == nil {
			t.Errorf("%q was understood", bad)
		}
	}
}
