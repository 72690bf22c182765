package upheaval_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets all tests run beside one another: they mostly wait for a time to
// live to pass.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err) // there is such a flag
	}
	os.Exit(m.Run())
}
