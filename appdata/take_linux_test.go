package appdata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// takenFile is large enough for a kill to find it half-written.
const takenFile = "conf/big.jar"

// taking is a file that a node is to take: the copy lies in the share.
func taking(t *testing.T) (put Take, old, text []byte) {
	t.Helper()
	s := ours(t)
	source, root := t.TempDir(), t.TempDir()
	old, text = bytes.Repeat([]byte("old "), 200_000), bytes.Repeat([]byte("new! "), 300_000)
	plant(t, source, takenFile, string(text))
	plant(t, root, takenFile, string(old))
	give := Take{Step: Give, ID: 7, Share: s, Root: source, Equal: Equal{Paths: []string{"conf"}}, Path: takenFile, Keep: t.TempDir()}
	taken, err := give.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	put = give
	put.Step, put.Root, put.Taken, put.Was = Put, root, taken, sumOf(old)
	return put, old, text
}

const takeText = "COTERIE_TEST_TAKE"

// Killed wherever it is, a node has the old file or the new, whole, with the mode of
// one of them; said again, it comes to its end, and leaves nothing behind.
func TestAFileIsTakenWhollyOrNot(t *testing.T) {
	if plan := os.Getenv(takeText); plan != "" { // the one that is killed
		var put Take
		if err := json.Unmarshal([]byte(plan), &put); err != nil {
			t.Fatal(err)
		}
		fmt.Println("begins")
		_, err := put.Do(t.Context())
		fmt.Println("ends", err)
		return
	}
	put, old, text := taking(t)
	plan, err := json.Marshal(put)
	if err != nil {
		t.Fatal(err)
	}
	full := filepath.Join(put.Root, takenFile)
	rounds, killed, news := 25, 0, 0
	if !testing.Short() {
		rounds = 200
	}
	whole := 30 * time.Millisecond // of one that is left alone; measured by the first
	for i := range rounds {
		if err := os.WriteFile(full, old, 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), takeText+"="+string(plan), "GOCOVERDIR=")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		read := make([]byte, 1)
		var said strings.Builder
		for !strings.Contains(said.String(), "begins\n") {
			if _, err := out.Read(read); err != nil {
				t.Fatalf("%v after %q", err, said.String())
			}
			said.Write(read)
		}
		begun := time.Now()
		if i > 0 {
			time.Sleep(rand.N(whole))
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
		if err := cmd.Wait(); err != nil {
			killed++
		}
		if i == 0 {
			whole = time.Since(begun)
		}
		got, err := os.ReadFile(full)
		switch {
		case err != nil:
			t.Fatalf("round %d: %v", i, err)
		case bytes.Equal(got, text):
			news++
		case !bytes.Equal(got, old):
			t.Fatalf("round %d: %d bytes of neither", i, len(got))
		}
		if _, err := put.Do(t.Context()); err != nil {
			t.Fatalf("round %d: said again: %v", i, err)
		}
		if got, err := os.ReadFile(full); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("round %d: said again, it has %d bytes (%v)", i, len(got), err)
		}
		left, err := fs.Glob(os.DirFS(put.Root), "conf/*")
		if hidden, globErr := fs.Glob(os.DirFS(put.Root), "conf/.*"); err != nil || globErr != nil || len(left)+len(hidden) != 1 {
			t.Fatalf("round %d: there are %v %v", i, left, hidden)
		}
	}
	t.Logf("%d rounds of %v each, killed %d, the new file was there in %d", rounds, whole, killed, news)
}
