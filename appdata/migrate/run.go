package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/coterie-ha/coterie/appdata"
)

// Run carries a plan out.
type Run struct {
	PlanFile string // of which the text is kept at both ends
	Goal     Goal
	Workers  int // files at work at once; 0: what suits the share
	Progress *Progress
	Alone    bool      // Finish: there is no other host that could read what is on the share
	Words    []Reading // Finish: what other hosts have said of the share, beside those that have left their word there
	Leave    bool      // Rollback: leave on the share what is there, as it has changed
	// ByRenames has names exchanged by renames, as file systems need it that cannot do it in one step.
	ByRenames bool
	// Boundary is told of each effect, when it is over; tests end the process there.
	Boundary func(name string)
	Told     func(Step) // each step that is begun
}

// run is a Run at work.
type run struct {
	Run
	plan  Plan
	ends  *ends
	noted Step        // the journal says already that it is begun
	seen  *remembered // of what this run has copied; nil before and when nothing is
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
	e.between = func() { w.boundary("one journal written") }
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
	if j.Begun(Cut) && r.plan.Layout.Links {
		if err := r.endSwaps(); err != nil {
			return err
		}
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
			if err := r.ends.note(Record{Step: s, Facts: map[string]string{"again": "looked at once more"}}); err != nil {
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
	if r.noted != s {
		facts, err := r.ahead(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		if err := r.ends.note(Record{Step: s, Facts: facts}); err != nil {
			return err
		}
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
	if err := r.pass(Record{Step: s, Done: true, Facts: facts}); err != nil {
		return err
	}
	r.boundary("done " + string(s))
	return nil
}

// ahead is what has to be known of a step before anything of it is done.
func (r *run) ahead(s Step) (map[string]string, error) {
	if s == Publish {
		return r.toPublish()
	}
	return nil, nil
}

// pass notes that a step is done and, on the way forward, that the next is begun: as one,
// since each word to the share is several round trips, and a wait for two disks.
func (r *run) pass(done Record) error {
	if r.Goal != Apply && r.Goal != PreCopy {
		return r.ends.note(done)
	}
	then := r.ends.journal
	then.Records = append(slices.Clone(then.Records), done)
	next, err := Next(r.Goal, r.plan.Join, then)
	if err != nil || next == "" {
		return r.ends.note(done)
	}
	facts, err := r.ahead(next)
	if err != nil {
		return r.ends.note(done) // the step itself will say what is wrong
	}
	if err := r.ends.note(done, Record{Step: next, Facts: facts}); err != nil {
		return err
	}
	r.noted = next
	return nil
}
