package main

import (
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/coterie-ha/coterie/coordinator/supervisor"
)

var update = flag.Bool("update", false, "write the golden output of the scripts anew")

// TestMain lets scripts run this very program as coterie.
func TestMain(m *testing.M) {
	supervisor.Stage() // scripts run agents, and these runs
	if os.Args[0] == "/proc/self/exe" {
		main() // and workers, and last wills
	}
	testscript.Main(m, map[string]func(){"coterie": main})
}

// TestScripts are the command line as people meet it: each file is a story.
// script_test.go has the words that scripts use beyond testscript's own.
func TestScripts(t *testing.T) {
	s := startServer(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               s.setup,
		Cmds:                s.words(),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		TestWork:            os.Getenv("KEEP_WORK") != "",
	})
}
