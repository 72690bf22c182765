package migrate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What was a link when it was copied and is a folder now is made one on the stage: what
// the link leads to is not taken for the folder, and nothing there is removed.
func TestALinkOnTheStageIsNotTakenForAFolder(t *testing.T) {
	base := t.TempDir()
	elsewhere, stage := filepath.Join(base, "elsewhere"), filepath.Join(base, "stage")
	kept := filepath.Join(elsewhere, "kept")
	err := errors.Join(os.Mkdir(elsewhere, 0o755), os.WriteFile(kept, []byte("of somebody else"), 0o644), os.Symlink(elsewhere, stage))
	if err != nil {
		t.Fatal(err)
	}
	all, err := newLines(filepath.Join(base, "manifest"), os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	p := &pass{run: &run{}, prove: true, known: known{}, all: all}
	d := &folder{path: "was-link", from: base, to: stage, mode: 0o755}
	for range 2 {
		if err := p.enter(t.Context(), d, nil); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(stage)
		if err != nil || info.Mode().Type() != fs.ModeDir {
			t.Errorf("on the stage is %v, %v, want a folder", info.Mode(), err)
		}
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("what the link led to: %v", err)
	}
	if err := all.close(false); err != nil {
		t.Error(err)
	}
}
