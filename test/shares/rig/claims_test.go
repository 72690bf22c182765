//go:build linux

package rig

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// claims tells what the file system says of itself, and what holds between hosts.
func (s *suite) claims(t *testing.T) {
	out, err := s.Sides[0].Call(t, s.Sides[0].Tool, "claims", "@")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var found map[string]string
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatal(err)
	}
	for what, got := range found {
		want := "yes"
		if known := claimed[s.Kind][what]; known != "" {
			want = known
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	s.Server.Do(t, "rm", "@claims")
	s.locks(t)
	s.replaced(t)
}

// claimed is in what file systems differ from a local disk.
var claimed = map[string]map[string]string{
	"SMB 3.1.1": {
		"symbolic links": "operation not supported", "FIFOs": "operation not permitted", "modes are kept": "0640 became 0755",
		"names differ by case": "one name is the other", "names of any bytes": "invalid argument", "rename over a file that is open": "permission denied",
	},
	"sshfs":   {"FIFOs": "operation not permitted", "hard links are counted": "nlink is 1"},
	"NFSv4.2": {}, "GlusterFS": {},
}

// locks tries whether what one host has locked another cannot lock.
func (s *suite) locks(t *testing.T) {
	for _, kind := range []string{"flock", "fcntl"} {
		end := s.Sides[0].Begin(t, "held", s.Sides[0].Tool, "hold", kind, "@lock-"+kind)
		out, _ := s.Sides[1].Call(t, s.Sides[1].Tool, "hold", kind, "@lock-"+kind, "try")
		excludes := strings.Contains(out, "refused")
		end()
		if want := s.Kind != "sshfs" && (s.Kind != "GlusterFS" || kind == "fcntl"); excludes != want && s.Kind != "GlusterFS" {
			t.Errorf("a lock by %s of another host keeps one out: %v, want %v (%s)", kind, excludes, want, strings.TrimSpace(out))
		}
		t.Logf("a lock by %s keeps another host out: %v", kind, excludes)
	}
}

// replaced has one host put new files in the place of one that the other reads.
func (s *suite) replaced(t *testing.T) {
	a, b := s.Sides[0], s.Sides[1]
	a.Do(t, "mkdir", "@swap", ",", "replace", "@swap/file", "1", ",", "rm", "@swap/file.done")
	var done sync.WaitGroup
	done.Go(func() {
		if out, err := a.Try(t, "replace", "@swap/file", "40"); err != nil {
			t.Errorf("replace: %v\n%s", err, out)
		}
	})
	out, err := b.Try(t, "whole", "@swap/file")
	done.Wait()
	var absent, torn, read int
	said := lines(out)
	if _, scanErr := fmt.Sscan(said[len(said)-1], &absent, &torn, &read); err != nil || scanErr != nil {
		t.Fatalf("whole: %v %v\n%s", err, scanErr, out)
	}
	t.Logf("while one host replaced a file, the other read it %d times: absent %d, torn %d, errors %d", read, absent, torn, len(said)-1)
	if torn > 0 || absent > 0 && s.Kind != "sshfs" {
		t.Errorf("a replaced file was absent %d times, torn %d", absent, torn)
	}
	s.Server.Do(t, "rm", "@swap")
}
