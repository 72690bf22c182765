package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// A share whose server tells nothing is said to be so once, and watched all the same.
func TestWhereNothingIsToldTheRestIsWatched(t *testing.T) {
	s := share(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var deaf []string
	heard := false
	err := pool("serve").Watch(ctx, s, Of{Layout: "generic", Events: true, Listen: true}, func(d appdata.Dirty) error {
		switch {
		case d.Ready:
			if err := os.WriteFile(filepath.Join(s.Path, "one"), nil, 0o644); err != nil {
				t.Error(err)
			}
		case d.Deaf != "":
			deaf = append(deaf, d.Deaf)
			time.AfterFunc(3*time.Second, cancel) // it asks again meanwhile
		case slices.Contains(d.Folders, "."):
			heard = true
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || !heard || len(deaf) != 1 {
		t.Errorf("%v; heard %v; said %q", err, heard, deaf)
	}
}
