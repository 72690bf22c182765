package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/test/nobody"
)

// What waits for the database for minutes, as with a folder of a million files, says
// nothing about the share; what waits for the share does.
func TestOnlyTheShareIsLeftBehindWhenNothingIsHeard(t *testing.T) {
	for _, c := range []struct {
		apart int64
		want  error
	}{{1, nil}, {0, errStill}} {
		synctest.Test(t, func(t *testing.T) {
			p := new(appdata.Progress)
			p.Entries.Add(1)
			p.Apart.Add(c.apart)
			_, err := patiently(t.Context(), p, func() {}, func(ctx context.Context) (int, error) {
				select {
				case <-time.After(2 * stillFor):
				case <-ctx.Done():
				}
				return 0, nil
			})
			if !errors.Is(err, c.want) {
				t.Errorf("%d apart: got %v, want %v", c.apart, err, c.want)
			}
		})
	}
}

func TestAServersClockIsToldFromAMinuteOn(t *testing.T) {
	for ahead, want := range map[time.Duration]string{
		59 * time.Second: "", -59 * time.Second: "",
		7 * time.Hour: "the times of its files are 7h ahead of this host's clock (have the file server keep the time)",
		-time.Minute:  "the times of its files are 1m behind this host's clock (have the file server keep the time)",
	} {
		var got strings.Builder
		for _, r := range clockRisk(ahead) {
			got.WriteString(r.String())
		}
		if got.String() != want {
			t.Errorf("%v: got %q, want %q", ahead, got.String(), want)
		}
	}
}

func TestTheServerIsCalled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	here, nowhere := l.Addr().(*net.TCPAddr).Port, nobody.Address(t).Port
	for _, c := range []struct {
		kind, source, options, want string
	}{
		{"nfs4", "nas1:/srv", fmt.Sprintf("addr=127.0.0.1,port=%d", here), fmt.Sprintf(`^127\.0\.0\.1 takes connections at port %d, after [0-9.]+ ms$`, here)},
		{"cifs", "//nas1/srv", fmt.Sprintf("addr=127.0.0.1,port=%d", nowhere), fmt.Sprintf(`^127\.0\.0\.1 takes no connection at port %d: connect: connection refused$`, nowhere)},
		{"nfs4", "nas1.invalid:/srv", "", `^nas1\.invalid takes no connection at port 2049: `},
	} {
		r := reach(t.Context(), appdata.Mount{FSType: c.kind, Source: c.source, Options: c.options})
		if ok, err := regexp.MatchString(c.want, r.String()); err != nil || !ok {
			t.Errorf("%s: got %q, want %s", c.source, r, c.want)
		}
	}
	if r := reach(t.Context(), appdata.Mount{FSType: "ext4", Source: "/dev/sda1"}); r.host != "" {
		t.Errorf("a disk has the server %v", r)
	}
}
