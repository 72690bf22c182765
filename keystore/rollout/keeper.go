package rollout

import "context"

// Hands do for one node what a Keeper decides.
type Hands struct {
	Look   func(ctx context.Context, version int64) Vote
	Seen   func(ctx context.Context, have int64) Report // what is in place, held against what should be
	Put    func(ctx context.Context, p Putting) error
	Vote   func(ctx context.Context, v Vote) error
	Report func(ctx context.Context, r Report) error
	Turn   func(ctx context.Context, r Rollout, t Turn) error
}

// Putting is what is to be put in place.
type Putting struct {
	Version int64 // 0: what was there before any version
	First   bool  // no version is active yet: what is there now may be needed again
	Forward bool  // when it fails, what was there before is put back at once
}

// Keeper keeps what one node has in place of a keystore as the rows say.
type Keeper struct {
	Node   string
	Serves bool // there is a server here
	Hands  Hands

	settled int64 // what was in place last as it should be
	known   bool  // settled says something
	resting bool  // it did not work; Retry is waited for
	tried   int64 // what did not work
}

// Retry lets what did not work be tried again.
func (k *Keeper) Retry() { k.resting = false }

// Resting says that something did not work, and waits for Retry.
func (k *Keeper) Resting() bool { return k.resting }

// Settled says that this node has in place what it is to have, or has nothing to do
// with it: only then may it be ready.
func (k *Keeper) Settled(v View) bool {
	return !k.Serves || k.known && k.settled == TaskOf(v, k.Node).Have
}

// Round does one thing that is due, and says whether there may be more: whoever calls
// it reads the rows again then.
func (k *Keeper) Round(ctx context.Context, v View) (more bool, err error) {
	me, living := v.member(k.Node)
	if !living {
		return false, nil
	}
	task := TaskOf(v, k.Node)
	if task.Look != 0 {
		return true, k.Hands.Vote(ctx, k.Hands.Look(ctx, task.Look))
	}
	if k.Serves {
		if said := k.keep(ctx, v, me, task); me.Report == nil || !me.Fresh || said != *me.Report {
			return true, k.Hands.Report(ctx, said)
		}
	}
	if t, due := Next(v); due {
		return true, k.Hands.Turn(ctx, *v.Rollout, t)
	}
	return false, nil
}

// keep has in place what the task says, and returns what there is to report.
func (k *Keeper) keep(ctx context.Context, v View, me Member, task Task) Report {
	seen := k.Hands.Seen(ctx, task.Have)
	forward := v.Rollout != nil && task.Have == v.Rollout.Version
	switch {
	case seen.Right():
		k.settle(task.Have)
	case seen.Version == task.Have && seen.Served == "" && !forward:
		k.settle(task.Have) // a server that is down reads it when it comes up
	case k.known && k.settled == task.Have && seen.Version != task.Have:
		// Somebody else changed the file since: that is told, and left to him.
	case v.Rollout == nil && k.known && k.settled == task.Have && !me.drifted():
		// It was as it should be, and its server shows another: that is told before it is
		// mended, which may take long.
	case task.Now && (!k.resting || k.tried != task.Have):
		err := k.Hands.Put(ctx, Putting{Version: task.Have, First: v.Active == 0, Forward: forward})
		if seen = k.Hands.Seen(ctx, task.Have); seen.Right() && err == nil {
			k.settle(task.Have)
			break
		}
		k.known, k.resting, k.tried = false, true, task.Have
		if seen.State = Broken; err != nil {
			seen.Error = err.Error()
		}
	case k.resting && k.tried == task.Have && me.failing():
		return *me.Report // until it is tried again: others count on what was said
	case seen.Version == task.Have: // it went down after its turn
	case me.Report != nil && me.Fresh:
		return *me.Report // until it is this node's turn, or it is tried again
	}
	return k.dated(v, me, seen)
}

func (k *Keeper) settle(have int64) { k.settled, k.known, k.resting = have, true, false }

// dated is a report with the rollout that it belongs to: in it the node acted, or
// has nothing left to do.
func (k *Keeper) dated(v View, me Member, seen Report) Report {
	r := v.Rollout
	if r == nil || r.Phase == Voting || r.Phase == Canary && r.Canary != k.Node {
		if me.Report != nil {
			seen.Rollout, seen.Phase = me.Report.Rollout, me.Report.Phase
		}
		return seen
	}
	seen.Rollout, seen.Phase = r.ID, r.Phase
	if r.Phase == Rest && me.Report != nil && me.Report.Rollout == r.ID && me.Report.Phase == Canary {
		seen.Phase = Canary // it was the first, and need not say so again
	}
	return seen
}
