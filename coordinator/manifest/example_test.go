package manifest_test

import (
	"fmt"

	"github.com/coterie-ha/coterie/coordinator/manifest"
)

// Of ten thousand files some may be missing without anybody being asked; where a
// tenth is, another folder may have been mounted.
func ExampleHeld() {
	fmt.Println(manifest.Held(300, 10_000, 0), manifest.Held(1_001, 10_000, 0), manifest.Held(1_001, 10_000, 1_001))
	// Output: false true false
}
