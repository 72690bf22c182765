package bundle

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// Who is told in the journal.
type Who struct{ By, Reason string }

// Apply does what was planned, with a reader that is at the beginning of the same bundle.
// What an earlier import has left undone is done first; see Resume.
func (im Import) Apply(ctx context.Context, p *Plan, r *Reader, who Who) (out *Applied, err error) {
	if r.Digest != p.Digest {
		return nil, fault(Damaged, "", "another bundle than the one that was planned with")
	}
	d, err := openDesk(im.Root)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return im.apply(ctx, d, p, r, who)
}

func (im Import) apply(ctx context.Context, d *desk, p *Plan, r *Reader, who Who) (*Applied, error) {
	if _, err := im.resume(d); err != nil {
		return nil, err
	}
	if !p.Does() || im.Policy == None {
		return &Applied{}, nil
	}
	j := &journal{Format: journalFormat, Bundle: p.Digest.String(), Tier: p.Header.Tier, Policy: im.Policy, By: who.By, Reason: who.Reason, At: time.Now().Unix()}
	number, err := im.stage(ctx, d, p, r, j)
	if err != nil {
		return nil, errors.Join(err, d.root.RemoveAll(path.Join(d.dir, staging)))
	}
	return im.forward(d, deskEntry{number, doing}, j)
}

// Resume goes on with what an import has left undone; nil if that is nothing.
func (im Import) Resume() (out *Applied, err error) {
	if _, err := os.Lstat(filepath.Join(im.Root, deskDir)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	d, err := openDesk(im.Root)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return im.resume(d)
}

// Unfinished says whether an import has left something undone. It writes nothing.
func (im Import) Unfinished() (bool, error) {
	names, err := os.ReadDir(filepath.Join(im.Root, deskDir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	for _, e := range names {
		if ext := filepath.Ext(e.Name()); ext == doing || ext == undoing {
			return true, nil
		}
	}
	return false, err
}

func (im Import) resume(d *desk) (out *Applied, err error) {
	all, err := d.list()
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.state != doing && e.state != undoing {
			continue
		}
		j, err := d.read(e)
		if err != nil {
			return nil, err
		}
		if e.state == doing {
			out, err = im.forward(d, e, j)
		} else {
			out, err = im.back(d, e, j)
		}
		if err != nil {
			return out, err
		}
	}
	return out, im.tidy(d)
}

// tidy removes what nobody needs: what was never decided, what was taken back, and all
// but the last imports.
func (im Import) tidy(d *desk) error {
	im.did("remove what is left of a stage")
	if err := d.root.RemoveAll(path.Join(d.dir, staging)); err != nil {
		return err
	}
	all, err := d.list()
	if err != nil {
		return err
	}
	last := 0
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].state == done {
			if last++; last <= kept {
				continue
			}
		} else if all[i].state != undone {
			continue
		}
		im.did("remove import %s", all[i])
		if err := d.root.RemoveAll(path.Join(d.dir, all[i].String())); err != nil {
			return err
		}
	}
	return nil
}
