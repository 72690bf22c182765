package appdata

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestTheHighestTokenOfAllNodesComesBack(t *testing.T) {
	a := ours(t)
	b := a
	b.Node = "app-b"
	for _, c := range []struct {
		share Share
		knows int64
		want  int64
	}{
		{a, 0, 0},
		{a, 7, 7},
		{b, 0, 7}, // a node that knows nothing learns
		{b, 9, 9},
		{a, 8, 9},
		{a, 3, 9}, // a node that forgot lowers nothing
		{b, 1<<40 + 1, 1<<40 + 1},
		{a, 0, 1<<40 + 1},
	} {
		c.share.Token = c.knows
		found := probe(t, c.share)
		wantState(t, found, OK, "")
		if found.Token != c.want {
			t.Errorf("%s knows %d: got %d, want %d", c.share.Node, c.knows, found.Token, c.want)
		}
	}
	if got, err := os.ReadFile(filepath.Join(a.Path, ".coterie/tokens/app-a")); err != nil || string(got) != "8\n" {
		t.Errorf("the file of app-a says %q, %v; want 8", got, err)
	}
}

func TestATokenIsWrittenOnlyWhenItRises(t *testing.T) {
	s := ours(t)
	s.Token = 5
	probe(t, s)
	path := filepath.Join(s.Path, ".coterie/tokens/app-a")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	probe(t, s)
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("an unchanged token was written again (%v)", err)
	}
	s.Token = 6
	probe(t, s)
	if after, err := os.Stat(path); err != nil || os.SameFile(before, after) {
		t.Errorf("a higher token was not written (%v)", err)
	}
}

func TestWhatNoNodeWroteIsNoToken(t *testing.T) {
	s := ours(t)
	s.Token = 4
	probe(t, s)
	dir := filepath.Join(s.Path, ".coterie/tokens")
	secret := filepath.Join(t.TempDir(), "secret")
	errs := []error{
		os.WriteFile(secret, []byte("99\n"), 0o600),
		os.Symlink(secret, filepath.Join(dir, "app-link")),
		os.Mkdir(filepath.Join(dir, "app-dir"), 0o700),
		os.WriteFile(filepath.Join(dir, "NOT A NODE"), []byte("50\n"), 0o600),
		os.WriteFile(filepath.Join(dir, ".app-c.tmp-ABC"), []byte("51\n"), 0o600),
	}
	for i, text := range []string{"", "\n", "x", "-7", "1e9", "0x10", " 9", "9 9", "9223372036854775807", "1152921504606846976", strings.Repeat("9", 1<<20)} {
		errs = append(errs, os.WriteFile(filepath.Join(dir, fmt.Sprintf("app-%d", i)), []byte(text), 0o600))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	c := probe(t, s)
	wantState(t, c, OK, "")
	if c.Token != 4 {
		t.Errorf("got %d, want 4", c.Token)
	}
	// A node whose own file was damaged mends it.
	if err := os.WriteFile(filepath.Join(dir, "app-a"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := probe(t, s); c.Token != 4 || c.State != OK {
		t.Errorf("got %+v, want token 4", c)
	}
}

func TestTokensThatCannotBeKeptOrReadAreTold(t *testing.T) {
	s := ours(t)
	s.Token = 4
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(s.Path, ".coterie/tokens")); err != nil {
		t.Fatal(err)
	}
	c := probe(t, s)
	if c.State == OK || !strings.Contains(c.Reason, "token") {
		t.Errorf("got %s %q", c.State, c.Reason)
	}
	if left := names(t, outside); len(left) > 0 {
		t.Errorf("%q was written outside of the share", left)
	}
}

func TestNoTokenIsKeptOnAShareThatIsNotOurs(t *testing.T) {
	s := ours(t)
	s.Path, s.Token = t.TempDir(), 4
	mark(t, s.Path, theirID, 1)
	if err := errors.Join(os.Mkdir(filepath.Join(s.Path, ".coterie/tokens"), 0o700),
		os.WriteFile(filepath.Join(s.Path, ".coterie/tokens/app-x"), []byte("1000\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if c := probe(t, s); c.Token != 0 {
		t.Errorf("another cluster's token %d was believed", c.Token)
	}
	if _, err := os.Stat(filepath.Join(s.Path, ".coterie/tokens/app-a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a token was written there: %v", err)
	}
}

func TestNodesThatKeepTokensAtOnceLoseNone(t *testing.T) {
	s := ours(t)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			mine := s
			mine.Node = fmt.Sprintf("app-%d", i)
			for token := int64(1); token <= 20; token++ {
				mine.Token = token*10 + int64(i)
				c, err := mine.Probe(t.Context())
				if err != nil || c.Token < mine.Token {
					t.Errorf("%s kept %d and read %d, %v", mine.Node, mine.Token, c.Token, err)
				}
			}
		})
	}
	wait.Wait()
	if c := probe(t, s); c.Token != 207 {
		t.Errorf("the highest is %d, want 207", c.Token)
	}
}
