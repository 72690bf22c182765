package tomcat

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore/place"
)

// A Tomcat without a manager and without a JMX port is attached to. What it cannot take
// up is undone, and it goes on with what it has.
func TestATomcatWithoutAManagerIsAttachedTo(t *testing.T) {
	path := compiled(t, classpath(t))
	first, before := fresh(t, 0)
	file, port := filepath.Join(t.TempDir(), "tomcat.keystore"), freePorts(t, 1)[0]
	write600(t, file, first)
	tomcat := start(t, path, fmt.Sprintf("%d\t%s\tpkcs12\tchangeit\t\ttomcat\n\n", port, file))
	s := place.Server{File: file, Address: fmt.Sprintf("127.0.0.1:%d", port), Patience: 10 * time.Second, Reload: func(ctx context.Context) error {
		out, err := exec.CommandContext(ctx, "java", "../../deploy/examples/keystore/ReloadTLS.java", fmt.Sprint(tomcat.cmd.Process.Pid), fmt.Sprint(port)).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %.300s", err, out)
		}
		return nil
	}}
	next, after := fresh(t, 1)
	if err := s.Put(t.Context(), place.Content{File: next, Fingerprint: after}, true); err != nil {
		t.Fatal(err)
	}
	if got, err := leaf(t.Context(), port); err != nil || got != after {
		t.Errorf("it shows %.16s, want %.16s, not %.16s: %v", got, after, before, err)
	}
	err := s.Put(t.Context(), place.Content{File: next[:len(next)/2], Fingerprint: before}, true)
	if err == nil || !strings.Contains(err.Error(), "what was there before is back") {
		t.Errorf("half of a file: %v", err)
	}
	if seen := s.Look(t.Context()); seen.SHA256 != digest(next) || seen.Served != after {
		t.Errorf("after half of a file: %+v", seen)
	}
}
