//go:build linux

package figures

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// An agent that holds ten thousand jobs costs the database no more statements
// than one that holds ten, and 60 MB at most.
func TestTenThousandJobsCostMemoryAndNoStatements(t *testing.T) {
	beside(t)
	const promised = 60
	jobs := tries(1000, 10000)
	c := crew(t, talkative(), 1, jobs)
	most := 0
	for range tries(5, 30) {
		c.Elapse(time.Second)
		most = max(most, resident(t, c.Nodes[0].Agent()))
	}
	t.Logf("%d jobs: %d MB resident at most", jobs, most>>10)
	if most>>10 > promised {
		t.Errorf("an agent with %d jobs has %d MB, want %d at most", jobs, most>>10, promised)
	}
	atRest(t, c, 1)
}

var rss = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB`)

// resident is what a process has in memory, in KB.
func resident(t *testing.T, pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(rss.FindStringSubmatch(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
