package appdata

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coterie-ha/coterie/appdata/smb"
)

func tells(notices ...smb.Notice) answerOfServer {
	return answerOfServer{notices: notices, whole: true}
}

// listening runs a Listener whose server tells what the test says.
func listening(t *testing.T, dir string, test func(server chan<- answerOfServer, told <-chan Dirty)) {
	t.Helper()
	layout, err := LayoutOf("generic")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		server, told := make(chan answerOfServer), make(chan Dirty, 100)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			l := Listener{Root: dir, Skip: layout.Skips, ask: func() ([]smb.Notice, bool, error) {
				select {
				case a := <-server:
					return a.notices, a.whole, a.err
				case <-ctx.Done():
					return nil, false, ctx.Err()
				}
			}}
			ended <- l.Run(ctx, func(d Dirty) error {
				told <- d
				return nil
			})
		}()
		test(server, told)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait()
	})
}

func TestWhatAServerTellsIsLookedAtSoon(t *testing.T) {
	dir := tree(t, map[string]string{"conf/one": "1", "new/deep/x": "x"})
	for name, c := range map[string]struct {
		notices []smb.Notice
		want    []string
		again   []string
	}{
		"written":           {[]smb.Notice{{Action: smb.Modified, Path: "conf/one"}}, []string{"conf"}, []string{"conf"}},
		"made":              {[]smb.Notice{{Action: smb.Added, Path: "conf/two"}}, []string{"conf"}, []string{"conf"}},
		"replaced":          {[]smb.Notice{{Action: smb.OldName, Path: "conf/.one"}, {Action: smb.NewName, Path: "conf/one"}}, []string{"conf"}, nil},
		"removed":           {[]smb.Notice{{Action: smb.Removed, Path: "conf/two"}}, []string{"conf"}, nil},
		"moved":             {[]smb.Notice{{Action: smb.Removed, Path: "conf/two"}, {Action: smb.Added, Path: "new/two"}}, []string{"conf", "new"}, []string{"new"}},
		"a folder with all": {[]smb.Notice{{Action: smb.NewName, Path: "new"}}, []string{".", "new", "new/deep"}, nil},
		"a name of many":    {[]smb.Notice{{Action: smb.Added, Path: "conf/ä😀"}}, []string{"conf"}, []string{"conf"}},
	} {
		t.Run(name, func(t *testing.T) {
			listening(t, dir, func(server chan<- answerOfServer, told <-chan Dirty) {
				begun := time.Now()
				server <- tells(c.notices...)
				d := <-told
				if took := time.Since(begun); took > 100*time.Millisecond {
					t.Errorf("told after %v", took)
				}
				slices.Sort(d.Folders)
				if !slices.Equal(d.Folders, c.want) || d.Lost != "" {
					t.Errorf("told is %+v, want %v", d, c.want)
				}
				if c.again != nil {
					if d = <-told; !slices.Equal(d.Folders, c.again) || time.Since(begun) > 1200*time.Millisecond {
						t.Errorf("told again after %v is %+v, want %v", time.Since(begun), d, c.again)
					}
				}
				time.Sleep(time.Minute)
				if len(told) > 0 {
					t.Errorf("and told once more: %+v", <-told)
				}
			})
		})
	}
}

// What nodes write for each other is heard by whoever listens, and is nothing.
func TestWhatNodesTellEachOtherIsNoNews(t *testing.T) {
	listening(t, tree(t, map[string]string{"conf/one": "1"}), func(server chan<- answerOfServer, told <-chan Dirty) {
		for i := range 1000 {
			server <- tells(smb.Notice{Action: smb.Added, Path: fmt.Sprintf(".coterie/nonce/%d", i)}, smb.Notice{Action: smb.Removed, Path: ".coterie"})
		}
		time.Sleep(time.Minute)
		select {
		case d := <-told:
			t.Errorf("told is %+v", d)
		default:
		}
	})
}

// A file that is being written is not taken for whole.
func TestWhatAServerTellsOnAndOnIsNamedBusy(t *testing.T) {
	listening(t, tree(t, map[string]string{"conf/one": "1"}), func(server chan<- answerOfServer, told <-chan Dirty) {
		for range 60 {
			server <- tells(smb.Notice{Action: smb.Modified, Path: "conf/one"})
			time.Sleep(10 * time.Millisecond)
		}
		if d := <-told; !slices.Equal(d.Busy, []string{"conf/one"}) {
			t.Errorf("told is %+v", d)
		}
		if d := <-told; len(d.Busy) != 0 || !slices.Equal(d.Folders, []string{"conf"}) {
			t.Errorf("told at the end is %+v", d)
		}
	})
}

// A server that could not keep all says so, and a scan is asked for.
func TestMoreThanAServerCanTellIsLeftToAScan(t *testing.T) {
	listening(t, tree(t, map[string]string{"conf/one": "1"}), func(server chan<- answerOfServer, told <-chan Dirty) {
		server <- answerOfServer{}
		if d := <-told; d.Lost == "" {
			t.Errorf("told is %+v", d)
		}
	})
	dir := tree(t, nil)
	for i := range mostNew + 1 {
		do(t, os.MkdirAll(filepath.Join(dir, "new", fmt.Sprint(i)), 0o755))
	}
	listening(t, dir, func(server chan<- answerOfServer, told <-chan Dirty) {
		server <- tells(smb.Notice{Action: smb.Added, Path: "new"})
		if d := <-told; !strings.Contains(d.Lost, "more than 1000 folders") {
			t.Errorf("told is %+v", d)
		}
	})
}

func TestAFileSystemWithoutAServerHasNoNotices(t *testing.T) {
	err := Listener{Root: t.TempDir()}.Run(t.Context(), func(Dirty) error { return nil })
	if !errors.Is(err, smb.ErrNoNotices) {
		t.Errorf("got %v", err)
	}
}

// Who had listened and is cut off says why, asks for a scan each time, and listens again.
func TestAListenerThatIsCutOffAsksForAScanAndListensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var asked []time.Duration
		cut := func() ([]smb.Notice, bool, error) {
			at := time.Since(begun)
			asked = append(asked, at)
			switch {
			case at < 10*time.Minute:
				time.Sleep(5 * time.Minute)
				return nil, false, errors.New("the host is down")
			case at < 30*time.Minute: // cut off at once
				return nil, false, errors.New("the host is down")
			}
			return nil, false, smb.ErrNoNotices
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var deaf, lost []string
		err := Listener{Root: t.TempDir(), ask: cut}.Keep(ctx, func(d Dirty) error {
			if d.Deaf != "" {
				deaf = append(deaf, d.Deaf)
			}
			if d.Lost != "" {
				lost = append(lost, d.Lost)
			}
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if len(deaf) != 3 || !strings.Contains(deaf[0], "the host is down") || !strings.Contains(deaf[2], smb.ErrNoNotices.Error()) {
			t.Errorf("why nobody is heard was said %d times: %q", len(deaf), deaf)
		}
		if len(lost) != 2 || !strings.Contains(lost[0], "the host is down") {
			t.Errorf("a scan was asked for %d times: %q", len(lost), lost)
		}
		if n := len(asked); n < 45 || n > 65 {
			t.Errorf("the server was asked %d times in an hour: %v", n, asked)
		}
	})
}
