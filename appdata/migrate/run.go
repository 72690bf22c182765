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
	"strings"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// Run carries a plan out.
type Run struct {
	PlanFile string // of which the text is kept at both ends
	Goal     Goal
	Workers  int // files at work at once; 0: what suits the share
	Progress *Progress
	Alone    bool // Finish: there is no other host that could read what is on the share
	Leave    bool // Rollback: leave on the share what is there, as it has changed
	// Boundary is told of each effect, when it is over; tests end the process there.
	Boundary func(name string)
	Told     func(Step) // each step that is begun
}

// run is a Run at work.
type run struct {
	Run
	plan Plan
	ends *ends
}

// RefusedError are objections that nobody has accepted.
type RefusedError struct{ Objections []Objection }

func (e *RefusedError) Error() string {
	var all []string
	for _, o := range e.Objections {
		all = append(all, o.Text)
	}
	return strings.Join(all, "; ")
}

// Do takes all steps to the goal that are not behind us. It may block for as long as
// the share does.
func (r Run) Do(ctx context.Context) (Plan, Journal, error) {
	text, err := os.ReadFile(r.PlanFile)
	if err != nil {
		return Plan{}, Journal{}, err
	}
	p, err := parsePlan(text)
	if err != nil {
		return Plan{}, Journal{}, err
	}
	if err := p.here(); err != nil && (r.Goal != Rollback || !r.Leave || !errors.Is(err, ErrOther)) {
		return p, Journal{}, err
	}
	e, err := openEnds(p, text, true)
	if err != nil {
		return p, Journal{}, err
	}
	if r.Progress == nil {
		r.Progress = new(Progress)
	}
	e.lenient = r.Goal == Rollback && r.Leave
	w := &run{Run: r, plan: p, ends: e}
	err = w.all(ctx)
	err = errors.Join(err, e.close())
	if len(e.journal.Records) == 0 {
		err = errors.Join(err, e.vanish())
	}
	return p, e.journal, err
}

// ErrElsewhere means that a plan is of another host.
var ErrElsewhere = errors.New("the plan was made on another host")

// here refuses the plan of another host, and a share that is not mounted as it was.
func (p Plan) here() error {
	if p.Machine != Machine() {
		return fmt.Errorf("%w: %s", ErrElsewhere, p.Host)
	}
	mount, err := appdata.MountAt(p.above())
	if err != nil {
		return err
	}
	mount.Options = ""
	if mount.Point != p.Mount.Point || mount.FSType != p.Mount.FSType || mount.Source != p.Mount.Source {
		return fmt.Errorf("%w: %s is on %s (%s), and was on %s (%s)", ErrOther, p.above(), mount.Source, mount.FSType, p.Mount.Source, p.Mount.FSType)
	}
	return nil
}

func (r *run) boundary(name string) {
	if r.Boundary != nil {
		r.Boundary(name)
	}
}

func (r *run) all(ctx context.Context) error {
	if err := r.ends.sameShare(); err != nil {
		return err
	}
	if err := r.admit(ctx); err != nil {
		return err
	}
	for {
		step, err := Next(r.Goal, r.plan.Join, r.ends.journal)
		if err != nil || step == "" {
			return err
		}
		if r.Told != nil {
			r.Told(step)
		}
		if err := r.take(ctx, step); err != nil {
			return err
		}
		if r.Goal == PreCopy && step == Copy || step == Sweep {
			return nil
		}
	}
}

// admit sees that the goal may be begun, or gone on with.
func (r *run) admit(ctx context.Context) error {
	j := r.ends.journal
	if _, err := Next(r.Goal, r.plan.Join, j); err != nil {
		return err
	}
	switch r.Goal {
	case Rollback:
		return r.mayGoBack(ctx)
	case Finish:
		return r.mayClear()
	}
	if j.Done(Cut) {
		return nil
	}
	if in, err := r.inEffect(); err != nil {
		return err
	} else if in && j.Begun(Cut) {
		return nil // what is left is to say so: the originals must not be copied again
	}
	again, err := r.plan.again(ctx)
	if err != nil {
		return err
	}
	var left []Objection
	for _, o := range again {
		atWork := AtWork(o)
		if !o.Accepted && (!atWork || r.Goal == Apply) {
			left = append(left, o)
		}
	}
	if len(left) > 0 {
		return &RefusedError{left}
	}
	return r.reopen()
}

// again makes the objections anew that may have changed since the plan was made.
func (p Plan) again(ctx context.Context) ([]Objection, error) {
	var o []Objection
	if err := p.stopped(ctx, &o); err != nil {
		return nil, err
	}
	for _, one := range p.Objects {
		if !AtWork(one) {
			o = append(o, one)
		}
	}
	return o, nil
}

// reopen has what was proved looked at once more before the server is told: the old
// folders may have been used since.
func (r *run) reopen() error {
	for _, s := range []Step{Prove, Publish} {
		if r.ends.journal.Done(s) {
			if err := r.ends.note(s, false, map[string]string{"again": "looked at once more"}); err != nil {
				return err
			}
		}
	}
	return nil
}

// take does one step, with its records around it.
func (r *run) take(ctx context.Context, s Step) error {
	steps := map[Step]func(context.Context) (map[string]string, error){
		Begin: r.begin, Copy: r.copy, Prove: r.prove, Publish: r.publish, Cut: r.cut, Clear: r.clear,
		Restore: r.restore, Withdraw: r.withdraw, Sweep: r.sweep,
	}
	var files, bytes int64
	for _, one := range r.plan.Items {
		files, bytes = files+one.Files, bytes+one.Bytes
	}
	r.Progress.begin(s, files, bytes)
	if err := r.ends.note(s, false, nil); err != nil {
		return err
	}
	r.boundary("begun " + string(s))
	facts, err := steps[s](ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	r.boundary("made " + string(s))
	if s == Sweep || s == Copy && r.Goal == PreCopy {
		return nil
	}
	if err := r.ends.note(s, true, facts); err != nil {
		return err
	}
	r.boundary("done " + string(s))
	return nil
}

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
	c := fmt.Sprintf("{\"plan\": %q, \"host\": %q, \"install\": %q}\n", r.plan.ID, r.plan.Host, appdata.Quote(r.plan.Install))
	err := atomicfile.Create(claimPath(r.plan.To), []byte(c), 0o644)
	if errors.Is(err, fs.ErrExist) {
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

func (r *run) copy(ctx context.Context) (map[string]string, error) {
	return nil, r.newPass().do(ctx)
}

func (r *run) prove(ctx context.Context) (map[string]string, error) {
	// What is only in this host's memory proves nothing of the share.
	if err := syncAll(r.plan.To); err != nil {
		return nil, err
	}
	p := r.newPass()
	p.prove = true
	manifest := filepath.Join(r.ends.local, manifestName)
	proofs := filepath.Join(r.ends.local, proofName)
	for _, file := range []string{manifest, proofs} {
		if err := p.known.learnFrom(file); err != nil {
			return nil, err
		}
	}
	var err error
	if p.all, err = newLines(manifest+".new", os.O_TRUNC); err != nil {
		return nil, err
	}
	if p.fresh, err = newLines(proofs, os.O_APPEND); err != nil {
		return nil, errors.Join(err, p.all.close(false))
	}
	err = p.do(ctx)
	if err = errors.Join(err, p.all.close(true), p.fresh.close(false)); err != nil {
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
