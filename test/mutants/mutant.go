package mutants

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Edit is a change of one file of the module: Was must occur in it once.
type Edit struct{ File, Was, Is string }

// Mutant is our code with a mistake, and what that stands for.
type Mutant struct {
	Name  string
	Like  string // where that mistake was met, or what it breaks
	Edits []Edit
}

// New is a mutant with one edit or more.
func New(name, like string, edits ...Edit) Mutant { return Mutant{name, like, edits} }

// Change is an edit of a file.
func Change(file, was, is string) Edit { return Edit{file, was, is} }

// Apply returns the text of each file that the mutant changes, by its path.
func (m Mutant) Apply(root string) (map[string]string, error) {
	files := map[string]string{}
	for _, e := range m.Edits {
		file := filepath.Join(root, e.File)
		if _, known := files[file]; !known {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			files[file] = string(text)
		}
		if n := strings.Count(files[file], e.Was); n != 1 || e.Was == e.Is {
			return nil, fmt.Errorf("%s: %s has %d places for the edit, want one: %q", m.Name, e.File, n, e.Was)
		}
		files[file] = strings.Replace(files[file], e.Was, e.Is, 1)
	}
	return files, nil
}

// Overlay writes the mutant's files into a directory, and with them what go build
// and go test want to know of them. It returns the name of that file.
func (m Mutant) Overlay(root, dir string) (string, error) {
	files, err := m.Apply(root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range files {
		replace[file] = filepath.Join(dir, fmt.Sprintf("%d-%s", len(replace), filepath.Base(file)))
		if err := os.WriteFile(replace[file], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	doc, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, doc, 0o600)
}

// page is where people read of the mutants.
const page = "docs/reliability.md"

// Fit says what is wrong with a list of mutants: each has a name of its own,
// edits that fit the code, something that it stands for, and a line in the manual.
func Fit(root string, all []Mutant) []error {
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		return []error{err}
	}
	var wrong []error
	seen := map[string]bool{}
	for _, m := range all {
		if seen[m.Name] || m.Like == "" || len(m.Edits) == 0 {
			wrong = append(wrong, fmt.Errorf("%s: a mutant has a name of its own, an edit, and something that it stands for", m.Name))
		}
		seen[m.Name] = true
		if _, err := m.Apply(root); err != nil {
			wrong = append(wrong, err)
		}
		if line := m.line(); !strings.Contains(string(text), line) {
			wrong = append(wrong, fmt.Errorf("%s has no line that begins with %q", page, line))
		}
	}
	return wrong
}

// line is how the manual begins what it says of a mutant.
func (m Mutant) line() string { return "| " + m.Name + " | " + m.Like + " | " }

// Row is the manual's line of a mutant that was caught.
func (m Mutant) Row(by string, seconds float64) string {
	return m.line() + by + fmt.Sprintf(" | %.1f s |", seconds)
}
