package migrate

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// dressFolders gives all folders of a pass what belongs to them. What is in a folder
// moves its time, and whoever may not enter one reaches nothing in it: so they come
// last, and the deepest first. Of one depth none waits for another: over a network
// each would cost its round trips.
func (p *pass) dressFolders(ctx context.Context, workers int) error {
	slices.SortFunc(p.folders, func(a, b *folder) int { return b.depth() - a.depth() })
	for rest := p.folders; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].depth() == rest[0].depth() {
			n++
		}
		if err := p.dressThese(ctx, rest[:n], workers); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (p *pass) dressThese(ctx context.Context, folders []*folder, workers int) error {
	var next atomic.Int64
	failed := make([]error, min(workers, len(folders)))
	var at sync.WaitGroup
	for i := range failed {
		at.Go(func() {
			for failed[i] == nil {
				n := int(next.Add(1)) - 1
				if n >= len(folders) {
					return
				}
				if ctx.Err() != nil {
					failed[i] = context.Cause(ctx)
					return
				}
				failed[i] = p.copier.dressFolder(folders[n].from, folders[n].to)
				if failed[i] == nil {
					p.boundary("folder " + folders[n].path)
				}
			}
		})
	}
	at.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// depth is how many folders are above one, those of the data themselves.
func (d *folder) depth() int {
	if d.path == "." {
		return 0
	}
	return 1 + strings.Count(d.path, string(filepath.Separator))
}

// dressFolder gives a folder mode, owner and times of another, where it has others.
func (c *copier) dressFolder(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if some, err := bearsAttributes(from); err != nil {
		return err
	} else if some {
		if err := c.attributesOfFolder(from, to); err != nil {
			return err
		}
	}
	there, err := os.Stat(to)
	if err != nil {
		return err
	}
	s, owned := factsOf(info), false
	if is := factsOf(there); s.systemOwners && (int(s.uid) != c.uid || int(s.gid) != c.gid) && (s.uid != is.uid || s.gid != is.gid) {
		owned = true
		if err := c.bear(lossOf("owners", os.Chown(to, int(s.uid), int(s.gid)))); err != nil {
			return err
		}
	}
	if owned || info.Mode()&keptMode != there.Mode()&keptMode {
		if err := c.bear(lossOf("modes", os.Chmod(to, info.Mode()&keptMode))); err != nil {
			return err
		}
	}
	if sameTime(info.ModTime(), there.ModTime()) {
		return nil
	}
	return os.Chtimes(to, time.Time{}, info.ModTime())
}

func (c *copier) attributesOfFolder(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Open(to)
	if err != nil {
		return err
	}
	defer out.Close()
	return c.bear(copyAttributes(out, in))
}
