package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/coterie-ha/coterie/appdata"
)

// ErrUnread means that no other host has read the share.
var ErrUnread = errors.New("no other host has read back what is on the share")

// ErrTurnedBack means that the server was told of other folders since.
var ErrTurnedBack = errors.New("the server is not told of the share any more")

// ErrJoined means that a plan has moved nothing, so that nothing is to be deleted.
var ErrJoined = errors.New("a joined server's own folders were moved nowhere; they stay")

// mayClear asks whether the originals may go.
func (r *run) mayClear() error {
	if r.plan.Join {
		return ErrJoined
	}
	if in, err := r.inEffect(); err != nil {
		return err
	} else if !in {
		return ErrTurnedBack // also when some are gone already: the others may be in use
	}
	if r.Alone || r.ends.journal.Begun(Clear) {
		return nil
	}
	said, err := r.plan.Readings()
	if err != nil {
		return err
	}
	_, err = r.plan.readByAnother(r.ends.journal.Fact(Prove, "manifest"), append(said, r.Words...))
	return err
}

// readByAnother is the word of another host that has read what was proved. What it
// did not find must be gone here as well.
func (p Plan) readByAnother(manifest string, all []Reading) (Reading, error) {
	why := ErrUnread
	for _, one := range all {
		switch {
		case one.Machine == p.Machine:
			continue
		case one.Manifest != manifest:
			why = fmt.Errorf("%w: %s has read it before the data were moved once more", ErrUnread, one.Host)
		case !one.OK():
			why = fmt.Errorf("%w: %s has found %d files that are not as they were proved, among them %v", ErrUnread, one.Host, one.Bad, one.Sample)
		case int64(len(one.Gone)) < one.Missing || p.has(one.Gone):
			why = fmt.Errorf("%w: %s did not find %d files that are there, among them %v", ErrUnread, one.Host, one.Missing, one.Sample)
		default:
			return one, nil
		}
	}
	return Reading{}, why
}

// has says whether one of the paths is on the share.
func (p Plan) has(paths []string) bool {
	for _, quoted := range paths {
		path, err := appdata.Unquote(quoted)
		if err != nil {
			return true
		}
		if _, err := os.Lstat(p.placeOf(path)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// clear deletes the originals that are as they were proved, file by file; what is
// not in the manifest, is not as it was, or is on the share no more, stays.
func (r *run) clear(ctx context.Context) (map[string]string, error) {
	stays := map[string]bool{}
	for _, one := range r.plan.Items {
		if one.Copy || one.Link != "" {
			stays[filepath.FromSlash(one.Path)] = true
		}
	}
	var folders []string
	left := 0
	err := eachProof(filepath.Join(r.ends.local, manifestName), true, func(one Proof) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		path, err := appdata.Unquote(one.Path)
		if err != nil {
			return err
		}
		unit := r.plan.unitOf(path)
		if stays[unit] || path == "." {
			return nil
		}
		at := r.original(unit, path)
		if one.Kind == "d" {
			folders = append(folders, at)
			return nil
		}
		gone, err := r.clearOne(ctx, one, at)
		if err == nil && !gone {
			left++
		}
		r.Progress.Files.Add(1)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, unit := range r.linked() { // links that were items themselves; their targets are not ours
		if stays[unit] && r.plan.Layout.Links {
			if err := os.Remove(r.aside(unit)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	slices.SortFunc(folders, func(a, b string) int { return len(b) - len(a) })
	if r.plan.Layout.When == ToldFolder {
		folders = append(folders, r.plan.From)
	}
	for _, dir := range folders {
		if err := removeEmpty(dir); err != nil {
			return nil, err
		}
		r.boundary("rmdir " + dir)
	}
	return map[string]string{"left": strconv.Itoa(left)}, r.clearStage()
}

// clearStage removes the folders of the stage, which nobody needs once there is no way
// back; a file there stays.
func (r *run) clearStage() error {
	var folders []string
	err := filepath.WalkDir(r.plan.stage(), func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			folders = append(folders, name)
		}
		return err
	})
	for _, dir := range slices.Backward(folders) {
		err = errors.Join(err, removeEmpty(dir))
	}
	r.boundary("stage cleared")
	return err
}

// original is where the original of something is now.
func (r *run) original(unit, path string) string {
	if !r.plan.Layout.Links {
		return r.plan.source(path)
	}
	rel, err := filepath.Rel(unit, path)
	if err != nil {
		return r.plan.source(path)
	}
	return filepath.Join(r.aside(unit), rel)
}

// isMoved says whether the share still has what was moved there. The server may have
// written to it since, and may have deleted it: then the original is the last there is.
func (r *run) isMoved(one Proof) (bool, error) {
	path, err := appdata.Unquote(one.Path)
	if err != nil {
		return false, err
	}
	_, err = os.Lstat(filepath.Join(r.plan.To, path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// clearOne deletes an original that is as it was proved.
func (r *run) clearOne(ctx context.Context, one Proof, at string) (bool, error) {
	info, err := os.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if moved, err := r.isMoved(one); err != nil || !moved {
		return false, err
	}
	if looks(info, true) != one.From {
		// A name that was moved aside looks changed; its content decides then.
		if !info.Mode().IsRegular() || info.Size() != one.Size {
			return false, nil
		}
		digest, err := hashFile(ctx, at, make([]byte, blockSize), new(Progress))
		if err != nil || digest != one.Digest {
			return false, err
		}
	}
	if err := os.Remove(at); err != nil {
		return false, err
	}
	r.boundary("clear " + one.Path)
	return true, nil
}
