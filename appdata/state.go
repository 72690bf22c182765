package appdata

import "slices"

// State says in one word what a node sees of the share. The SQL type
// coterie.storage_state has the same words.
type State string

// The states, best first; of several problems the last in this order is the state.
const (
	OK            State = "OK"             // mounted, ours, readable, writable, quick
	Degraded      State = "DEGRADED"       // usable with care, or not by this user: the reason says why
	Full          State = "FULL"           // no space, no inodes, or a quota is used up
	ReadOnly      State = "READ_ONLY"      // readable, not writable
	Stale         State = "STALE"          // this node reads something else than what was written
	OldGeneration State = "OLD_GENERATION" // ours, but from before a migration or restore
	WrongShare    State = "WRONG_SHARE"    // another cluster's, or nobody's
	NotMounted    State = "NOT_MOUNTED"    // absent: says nothing about the files
	Hung          State = "HUNG"           // does not answer
)

// States lists every state, best first.
func States() []State {
	return []State{OK, Degraded, Full, ReadOnly, Stale, OldGeneration, WrongShare, NotMounted, Hung}
}

func (s State) worseThan(other State) bool {
	return slices.Index(States(), s) > slices.Index(States(), other)
}
