package attest_test

import (
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/attest"
)

// A node that joins one that is ready, and looks at a copy of the share: it has
// the right nonce, and never anything new.
func ExampleCircle() {
	var c attest.Circle
	peer := attest.Peer{Node: "app-a", Incarnation: 1, Nonce: "ABCDEFGHIJKLMNOP", Every: 5 * time.Second, Counts: true, First: true, SeesMe: attest.Unknown}
	c.Learn([]attest.Peer{peer}, false)
	begun := time.Now()
	for _, after := range []time.Duration{0, 5 * time.Second, 10 * time.Second} {
		c.Saw(&appdata.Words{Peers: map[string]appdata.Word{"app-a": {Nonce: "ABCDEFGHIJKLMNOP", Round: 7}}}, begun.Add(after))
		v := c.Judge(begun.Add(after))
		fmt.Printf("%v %t %s %q\n", after, v.Proved, v.State, v.Reason)
	}
	// Output:
	// 0s false OK ""
	// 5s false OK ""
	// 10s false STALE "shows what app-a wrote long ago, and nothing new"
}
