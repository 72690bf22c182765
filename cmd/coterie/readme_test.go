package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/pgserver"
)

// TestTheReadmeSaysWhatWorks runs README.md: its files, its commands in their
// order against a real database and a real agent, and its SQL.
func TestTheReadmeSaysWhatWorks(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	share := filepath.Join(dir, "appdata")
	if err := os.Mkdir(share, 0o755); err != nil {
		t.Fatal(err)
	}
	readme := strings.NewReplacer("/media/share/appdata", share, "127.0.0.1:7480", freeAddress(t)).Replace(string(text))

	script := []string{"set -eux", "trap 'kill -TERM $!' EXIT"} // a command that fails leaves no agent behind
	for _, b := range fenced(readme) {
		switch name, named := strings.CutPrefix(b.first(), "# "); {
		case b.lang == "yaml" && named:
			if err := os.WriteFile(filepath.Join(dir, name), []byte(b.text), 0o644); err != nil {
				t.Fatal(err)
			}
		case b.lang == "yaml":
			t.Errorf("a file of README.md has no name in its first line: %q", b.first())
		case b.lang == "sh" && !strings.HasPrefix(b.text, "make "):
			script = append(script, b.text)
		}
	}
	if len(script) < 5 {
		t.Fatalf("README.md has %d blocks of commands; is the test reading it right?", len(script)-1)
	}
	script = append(script, "trap - EXIT", "kill -TERM $!; wait $!")

	pg, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, "sh", "-c", strings.Join(script, "\n"))
	run.Dir = dir
	run.Env = append(os.Environ(), "PGHOST="+pg.Socket, "PGPORT="+strconv.Itoa(pg.Port), "PGUSER="+pgserver.Superuser, "PGDATABASE=postgres",
		"PATH="+filepath.Dir(coterie(t))+":"+pg.Binaries.Dir+":"+os.Getenv("PATH"))
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	run.WaitDelay = 10 * time.Second
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, want := range []string{"audit-purge: succeeded", "token 2", "app-a", "share     ok"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the commands of README.md do not print %q:\n%s", want, out)
		}
	}
	refused(t, pg, readme)
}

// refused runs the SQL of README.md: its token is not that of a live holder.
func refused(t *testing.T, pg *pgserver.Server, readme string) {
	for _, b := range fenced(readme) {
		if b.lang != "sql" {
			continue
		}
		out, err := exec.CommandContext(t.Context(), pg.Binaries.Path("psql"), "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-c", b.text, pg.DSN("postgres")).CombinedOutput()
		if exit := new(exec.ExitError); !errors.As(err, &exit) || !strings.Contains(string(out), "CT001") {
			t.Errorf("SQL of README.md: %v, want CT001:\n%s", err, out)
		}
	}
}

// coterie builds the program, as a user has it.
func coterie(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "coterie")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return file
}

type block struct{ lang, text string }

func (b block) first() string { line, _, _ := strings.Cut(b.text, "\n"); return line }

var fence = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

func fenced(text string) []block {
	var all []block
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr())
}

// TestOfTwoCommandsUnderOneLeaseOneRuns runs lease run as its users do, several
// times at once: one has the lease, the others give up, and none runs twice.
func TestOfTwoCommandsUnderOneLeaseOneRuns(t *testing.T) {
	out := typed(t, `
coterie -c app-a.yaml lease run once -- sh -c 'echo ran token $COTERIE_TOKEN; exit 3'
echo "own exit code: $?"
for i in 1 2 3; do
	( coterie -c app-a.yaml lease run once --wait 0s -- sh -c 'echo ran >>log; sleep 3'; echo "exit $?" >>codes ) &
done
wait
sort codes; echo "ran $(wc -l <log) times"`)
	for _, want := range []string{"ran token 1", "own exit code: 3", "exit 0\nexit 5\nexit 5\nran 1 times", "COT-103"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// The program itself, asked for what nobody should ask for; testdata/script/names.txtar
// has more of it. Names that look alike are different leases.
func TestTheProgramRefusesWhatNobodyShouldGive(t *testing.T) {
	out := typed(t, `
exec 2>&1
long=$(head -c 65536 /dev/zero | tr '\0' x)
for name in '' "$long" "$(printf 'a\nb')" "$(printf 'a\033[2Jb')" "$(printf 'a\377b')" job/audit; do
	coterie -c app-a.yaml lease run "$name" -- touch ran >said; echo "run: exit $?, $(wc -c <said) bytes, $(ls ran 2>/dev/null || echo nothing ran)"
done
coterie -c app-a.yaml lease run nightly -- sh -c 'echo latin has token $COTERIE_TOKEN
	coterie -c app-a.yaml lease run "nіghtly" --wait 0s -- sh -c "echo cyrillic has token \$COTERIE_TOKEN"
	coterie -c app-a.yaml lease run nightly --wait 0s -- touch ran; echo "the same again: exit $?"
	echo new >src
	for name in "" "'"$long"'" "nіghtly" nightly2; do coterie -c app-a.yaml lease publish "$name" src dst >/dev/null; echo "publish: exit $?"; done
	for token in -1 0 2 3 9223372036854775807 99999999999999999999 x; do coterie -c app-a.yaml lease publish nightly --token=$token src dst >/dev/null; echo "token: exit $?"; done
	ls dst 2>/dev/null || echo nothing is published
	coterie -c app-a.yaml lease publish nightly src dst >/dev/null && cat dst'`)
	want := strings.Repeat("run: exit 2, 0 bytes, nothing ran\n", 6) + "latin has token 1\ncyrillic has token 2\n"
	for _, part := range []string{
		want, "the same again: exit 5\n", strings.Repeat("publish: exit 5\n", 4),
		strings.Repeat("token: exit 5\n", 5) + strings.Repeat("token: exit 2\n", 2) + "nothing is published\nnew\n",
	} {
		if !strings.Contains(withoutTalk(out), part) {
			t.Errorf("no %q in:\n%.4000s", part, out)
		}
	}
	if strings.Contains(out, strings.Repeat("x", 200)) {
		t.Error("64 KiB are said again")
	}
}

// withoutTalk leaves out what the program says on stderr.
func withoutTalk(out string) string {
	var kept strings.Builder
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "coterie: ") && !strings.HasPrefix(line, "COT-") && !strings.HasPrefix(line, "    ") && !strings.Contains(line, " is published under ") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// typed runs lines of a shell beside a cluster that has just been made, and returns
// all that was printed.
func typed(t *testing.T, lines string) string {
	t.Helper()
	dir := t.TempDir()
	share := filepath.Join(dir, "share")
	if err := os.Mkdir(share, 0o755); err != nil {
		t.Fatal(err)
	}
	text := "cluster: deploy-prod\nnode:\n  name: app-a\nappdata:\n  path: " + share + "\n"
	if err := os.WriteFile(filepath.Join(dir, "app-a.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	pg, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	run := exec.CommandContext(t.Context(), "sh", "-c", "coterie -c app-a.yaml init -y\n"+lines)
	run.Dir = dir
	run.Env = append(os.Environ(), "PGHOST="+pg.Socket, "PGPORT="+strconv.Itoa(pg.Port), "PGUSER="+pgserver.Superuser, "PGDATABASE=postgres",
		"PATH="+filepath.Dir(coterie(t))+":"+os.Getenv("PATH"))
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return string(out)
}
