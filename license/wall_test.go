package license

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Seats are counted by the database's clock and by the node's clock since boot. The
// wall clock is written down for people, in the journal, and asked nowhere else.
func TestNoWallClockIsAskedForSeats(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]int{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && (s.Sel.Name == "Now" || s.Sel.Name == "Since" || s.Sel.Name == "Until") {
					asked[file]++
				}
			}
			return true
		})
	}
	delete(asked, "servers.go") // how long a licence server takes to answer is a duration
	if asked["desk.go"] != 1 || len(asked) != 1 {
		t.Errorf("the wall clock is asked in %v; want once in desk.go, for the journal", asked)
	}
}
