package coterie_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A package comment is the design of the package. Those of the kernel tell all
// of it: what problem, which nouns, which laws, what happens on failure.
var kernel = []string{"leases", "coordinator", "jobs", "appdata"}

func TestEachPackageBeginsWithItsComment(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range house(t) {
		if seen[p.Dir] || len(p.GoFiles) == 0 {
			continue
		}
		seen[p.Dir] = true
		comments := packageComments(t, p)
		switch {
		case len(comments) == 0:
			t.Errorf("%s has no package comment", p.ImportPath)
		case len(comments) > 1:
			t.Errorf("%s has %d package comments", p.ImportPath, len(comments))
		case p.Name != "main" && !strings.HasPrefix(comments[0], "Package "+p.Name+" "):
			t.Errorf("%s: the comment does not begin with \"Package %s\"", p.ImportPath, p.Name)
		}
		lines := strings.Count(strings.Join(comments, ""), "\n")
		if slices.Contains(kernel, p.name()) && (lines < 60 || lines > 120) {
			t.Errorf("%s: the comment has %d lines; the kernel's have 60 to 120", p.ImportPath, lines)
		}
	}
}

func packageComments(t *testing.T, p listed) []string {
	t.Helper()
	var comments []string
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if file.Doc != nil {
			comments = append(comments, file.Doc.Text())
		}
	}
	return comments
}

func TestTheCoverageHasEveryNumber(t *testing.T) {
	page, err := os.ReadFile("docs/coverage.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"A": 41, "F": 66, "U": 37, "M": 60}
	got := map[string]int{}
	row := regexp.MustCompile(`(?m)^\| ([AFUM])(\d+) \| (.*?) \| (.*) \|$`)
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		got[m[1]]++
		if m[2] != strconv.Itoa(got[m[1]]) {
			t.Errorf("%s%s stands where %s%d belongs", m[1], m[2], m[1], got[m[1]])
		}
		if strings.TrimSpace(m[3]) == "" || strings.TrimSpace(m[4]) == "" {
			t.Errorf("%s%s is empty", m[1], m[2])
		}
	}
	for letter, n := range want {
		if got[letter] != n {
			t.Errorf("%s: %d rows, want %d", letter, got[letter], n)
		}
	}
}

// A page that says what shows something is right about that.
func TestThePagesNameTestsAndScenariosThatExist(t *testing.T) {
	tests, some := testNames(t), 0
	test := regexp.MustCompile(`\b(Test|Fuzz|Example)[A-Z]\w*`)
	scenario := regexp.MustCompile("`(\\w+/testdata/[\\w/]+\\.txt)`")
	eachFile(t, ".md", func(path string) {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(path, "docs/") {
			return // elsewhere they are examples
		}
		for _, name := range test.FindAllString(string(page), -1) {
			some++
			if !tests[name] {
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
		for _, m := range scenario.FindAllStringSubmatch(string(page), -1) {
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	})
	if some < 50 {
		t.Errorf("%d tests are named: this looked at the wrong pages", some)
	}
}

// testNames are the names of all test functions of the module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	eachFile(t, "_test.go", func(path string) {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	})
	return names
}

// eachFile calls do for the files of the project whose names end like this.
func eachFile(t *testing.T, suffix string, do func(path string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, suffix):
			do(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinksBetweenPagesLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	eachFile(t, ".md", func(path string) {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(page), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	})
}
