package shares

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/test/cluster"
)

// A keystore on a share whose server was made anew (a stale file handle) has a code and
// a remedy, and nobody hangs.
func TestAKeystoreOnAStaleHandleHasItsCode(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Empty: true}) // nobody asks the database
	point := filepath.Join(c.Dir, "stale")
	if err := os.Mkdir(point, 0o755); err != nil {
		t.Fatal(err)
	}
	end := stale(t, point)
	defer end()
	out, code := c.Run("keystore", "show", filepath.Join(point, "tomcat.keystore"))
	if code != 2 || !strings.HasPrefix(out, "COT-214 ") || !strings.Contains(out, "stale") || !strings.Contains(out, "remedy") {
		t.Errorf("exit code %d, want COT-214: %s", code, out)
	}
}
