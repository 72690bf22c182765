package worker_test

import (
	"context"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/worker"
)

// The program named by Argv does nothing but call worker.Serve(os.Stdin,
// os.Stdout) and exit. Here it is this test, which does so when it is told to.
func ExamplePool() {
	pool := &worker.Pool{Argv: []string{"/proc/self/exe", "serve"}, Deadline: 10 * time.Second}
	defer pool.Close()
	c, err := pool.Probe(context.Background(), appdata.Share{Path: "/media/share", Cluster: "deploy-prod", Node: "app-a"})
	fmt.Println(c.State, c.Usable(), err)
	// Output: NOT_MOUNTED false <nil>
}
