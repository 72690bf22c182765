package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// begin lets both ends know of the plan. Its steps may all be there already.
func (r *run) begin(context.Context) (map[string]string, error) {
	if err := r.keepPlan(r.ends.local); err != nil {
		return nil, err
	}
	r.boundary("plan kept")
	if r.plan.Join {
		return nil, nil
	}
	for _, dir := range r.ourFolders() {
		err := os.Mkdir(dir, r.modeFor(dir))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		r.boundary("made " + dir)
	}
	if err := forgetLists(r.plan.stage()); err != nil {
		return nil, err
	}
	c := fmt.Sprintf("{\"plan\": %q, \"host\": %q, \"install\": %q}\n", r.plan.ID, r.plan.Host, appdata.Quote(r.plan.Install))
	temp := filepath.Join(r.ends.share, claimName+".new")
	if err := prepared(temp, []byte(c), 0o644); err != nil {
		return nil, err
	}
	err := atomicfile.Name(temp, claimPath(r.plan.To))
	if errors.Is(err, fs.ErrExist) {
		if err := os.Remove(temp); err != nil {
			return nil, err
		}
		found, readErr := readClaim(r.plan.To)
		if readErr != nil {
			return nil, readErr
		}
		if found.Plan != r.plan.ID {
			return nil, fmt.Errorf("%w: %s of %s", ErrClaimed, found.Plan, found.Host)
		}
		err = nil
	}
	if err != nil {
		return nil, err
	}
	r.boundary("claimed")
	return nil, r.keepPlan(r.ends.share)
}

// ourFolders are those that the plan makes on the share, from the top down.
func (r *run) ourFolders() []string {
	state := filepath.Join(r.plan.To, stateName)
	all := []string{state, filepath.Dir(r.ends.share), r.ends.share, r.plan.stage()}
	if r.plan.MakeTo {
		all = append([]string{r.plan.To}, all...)
	}
	return all
}

// modeFor is wide enough for other nodes to read what is told on the share, and so
// narrow on the stage that nobody looks at what lies there half made.
func (r *run) modeFor(dir string) fs.FileMode {
	if dir == r.plan.stage() {
		return 0o700
	}
	return 0o755
}

func (r *run) keepPlan(dir string) error {
	return atomicfile.Write(filepath.Join(dir, planName), r.ends.text, 0o644)
}

func (r *run) copy(ctx context.Context) (_ map[string]string, err error) {
	if r.seen, err = r.plan.remember(); err != nil {
		return nil, err
	}
	return nil, r.newPass().do(ctx)
}

func (r *run) prove(ctx context.Context) (map[string]string, error) {
	written, err := r.write()
	if err != nil {
		return nil, err
	}
	defer func() { _ = written() }() // nobody is left at work when something else goes wrong, which is what is told then
	p := r.newPass()
	p.prove = true
	manifest := filepath.Join(r.ends.local, manifestName)
	proofs := filepath.Join(r.ends.local, proofName)
	for _, file := range []string{manifest, proofs} {
		if err := p.known.learnFrom(file); err != nil {
			return nil, err
		}
	}
	if p.all, err = newLines(manifest+".new", os.O_TRUNC); err != nil {
		return nil, err
	}
	if p.fresh, err = newLines(proofs, os.O_APPEND); err != nil {
		return nil, errors.Join(err, p.all.close(false))
	}
	err = p.do(ctx)
	if err = errors.Join(err, written(), p.all.close(true), p.fresh.close(false)); err != nil {
		return nil, err
	}
	if err := syncAll(r.plan.To); err != nil {
		return nil, err
	}
	if err := os.Rename(manifest+".new", manifest); err != nil {
		return nil, err
	}
	r.boundary("manifest")
	if err := os.Remove(proofs); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	digest, err := r.tellManifest(manifest)
	return map[string]string{"manifest": digest}, err
}

// write has all that was copied on its way to the disk. What is only in this host's
// memory proves nothing of a share: there it is waited for. On a disk of this host it
// proves as much before as after, so the disk works while both ends are read, and
// written waits for it.
func (r *run) write() (written func() error, err error) {
	if r.plan.Mount.Network() {
		return func() error { return nil }, syncAll(r.plan.To)
	}
	done := make(chan error, 1)
	go func() { done <- syncAll(r.plan.To) }() // waited for by written
	return sync.OnceValue(func() error { return <-done }), nil
}

// tellManifest puts the manifest on the share, for other hosts to read.
func (r *run) tellManifest(file string) (string, error) {
	in, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer in.Close()
	sum := sha256.New()
	err = atomicfile.WriteFrom(filepath.Join(r.ends.share, manifestName), 0o644, func(w io.Writer) error {
		_, err := io.Copy(io.MultiWriter(w, sum), in)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}
