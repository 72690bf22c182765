package rollout

import (
	"slices"
)

// Phase is how far a rollout is.
type Phase string

// Phases, as in the SQL type coterie.keystore_phase.
const (
	Voting    Phase = "voting"
	Canary    Phase = "canary"
	Rest      Phase = "rest"
	Back      Phase = "back"
	Done      Phase = "done"
	Refused   Phase = "refused"
	Failed    Phase = "failed"
	Cancelled Phase = "cancelled"
)

// Open says whether there is something left to do.
func (p Phase) Open() bool { return p == Voting || p == Canary || p == Rest || p == Back }

// Place is what a node has of a keystore.
type Place string

// Places, as in the SQL type coterie.keystore_place.
const (
	Proved  Place = "proved"  // a handshake showed it
	Placed  Place = "placed"  // there is nothing to prove it by
	Drifted Place = "drifted" // somebody else changed it
	Broken  Place = "failed"  // it could not be taken up
)

// Rollout is the one that is open.
type Rollout struct {
	ID       int64  `json:"id"`
	Version  int64  `json:"version"`
	Previous int64  `json:"previous"` // 0: what was there before any version
	Phase    Phase  `json:"phase"`
	Canary   string `json:"canary"`
	Overdue  bool   `json:"overdue"`
	Turn     int64  `json:"turn"`
}

// Vote is what a node found when it looked at a version.
type Vote struct {
	Version int64  `json:"version"`
	OK      bool   `json:"ok"`
	Serves  bool   `json:"serves"` // a server of that node serves the keystore
	Alone   bool   `json:"alone"`  // it is restarted for it
	Why     string `json:"why"`
}

// Report is what a node has in place.
type Report struct {
	Version int64  `json:"version"` // 0: none of the database's
	State   Place  `json:"state"`
	File    string `json:"file"`   // SHA-256; empty: there is none
	Served  string `json:"served"` // fingerprint of the certificate that the server showed; empty: none
	Rollout int64  `json:"rollout"`
	Phase   Phase  `json:"phase"` // in which the node said so
	Error   string `json:"error"`
}

// Right says that it is as it should be.
func (r Report) Right() bool { return r.State == Proved || r.State == Placed }

// Member is a living node. Its votes are those of this life, since its configuration
// may be another. Its report may be of a former one, and then it is not gone by: this
// life may be putting something else in place.
type Member struct {
	Node   string  `json:"node"`
	Votes  []Vote  `json:"votes"`
	Report *Report `json:"report"`
	Fresh  bool    `json:"fresh"` // the report is of this life
}

func (m Member) vote(version int64) (Vote, bool) {
	i := slices.IndexFunc(m.Votes, func(v Vote) bool { return v.Version == version })
	if i < 0 {
		return Vote{}, false
	}
	return m.Votes[i], true
}

// serves says whether it has a server for the version, as far as it told.
func (m Member) serves(version int64) bool { v, ok := m.vote(version); return ok && v.Serves }

func (m Member) alone(version int64) bool { v, ok := m.vote(version); return ok && v.Alone }

// shows says that it reported, in this rollout, to have what the rollout brings. What
// it said before may be long over.
func (m Member) shows(r *Rollout) bool {
	return m.onward(r) && m.Report.Version == r.Version && m.Report.Right()
}

// failed says that it could not take up what the rollout brings.
func (m Member) failed(r *Rollout) bool { return m.onward(r) && m.Report.State == Broken }

// isBack says that it reported to have again what it had. A server that is down reads
// it when it comes up.
func (m Member) isBack(r *Rollout) bool {
	return m.backward(r) && m.Report.Version == r.Previous && (m.Report.Right() || m.Report.Served == "")
}

// stuck says that it could not even go back; others do not wait for it.
func (m Member) stuck(r *Rollout) bool { return m.backward(r) && m.Report.State == Broken }

func (m Member) onward(r *Rollout) bool {
	return m.Report != nil && m.Fresh && m.Report.Rollout == r.ID && m.Report.Phase != Back
}

func (m Member) backward(r *Rollout) bool {
	return m.Report != nil && m.Fresh && m.Report.Rollout == r.ID && m.Report.Phase == Back
}

// failing says that it told, in this life, that it could not take up what it should.
func (m Member) failing() bool { return m.Report != nil && m.Fresh && m.Report.State == Broken }

// drifted says that it told, in this life, that it has not what it should have.
func (m Member) drifted() bool { return m.Report != nil && m.Fresh && m.Report.State == Drifted }

// hadTurn says that its server was restarted for what the rollout brings, and is not
// again, whatever became of it.
func (m Member) hadTurn(r *Rollout) bool {
	return r.Phase != Back && m.onward(r) && m.Report.Version == r.Version
}

// settled says that nothing is waited for from it.
func (m Member) settled(r *Rollout) bool {
	if r.Phase == Back {
		return m.isBack(r) || m.stuck(r)
	}
	return m.shows(r)
}

// Version is what a version is known by.
type Version struct {
	Version     int64  `json:"version"`
	SHA256      string `json:"sha256"` // of the file
	Alias       string `json:"alias"`
	Fingerprint string `json:"fingerprint"` // of the certificate that servers show
	Ends        int64  `json:"ends"`        // when that ends, in seconds since 1970
}

// View is what the database knows.
type View struct {
	Active  int64    `json:"active"` // 0: none yet
	Staged  int64    `json:"staged"` // newest that nobody has decided about; 0: none
	Rollout *Rollout `json:"rollout"`
	Members []Member `json:"members"` // in the order in which their lives began

	Versions []Version `json:"versions"`
}

// Expects says whether a server may yet have to show a version: it is the active one,
// nobody has decided about it, or a rollout brings it or may bring it back.
func (v View) Expects(version int64) bool {
	r := v.Rollout
	return version != 0 && (version == v.Active || version == v.Staged || r != nil && (version == r.Version || version == r.Previous))
}

func (v View) member(node string) (Member, bool) {
	i := slices.IndexFunc(v.Members, func(m Member) bool { return m.Node == node })
	if i < 0 {
		return Member{}, false
	}
	return v.Members[i], true
}

// Task is what one node is to do.
type Task struct {
	Look int64 // version to vote on; 0: none
	Have int64 // version to have in place; 0: what was there before any
	Now  bool  // false: others are before it, or it failed and waits for all to go back
}

// TaskOf is what a node is to do now.
func TaskOf(v View, node string) Task {
	me, living := v.member(node)
	if !living {
		return Task{}
	}
	r := v.Rollout
	t := Task{Have: v.Active, Now: true}
	if r == nil {
		t.Look = unseen(me, v.Staged)
		return t
	}
	t.Look = unseen(me, r.Version)
	switch {
	case r.Phase == Canary && r.Canary == node, r.Phase == Rest:
		t.Have, t.Now = r.Version, t.Look == 0 && !me.failed(r)
	case r.Phase == Back:
		t.Have = r.Previous
	}
	if me.alone(r.Version) {
		switch r.Phase {
		case Canary:
			t.Now = t.Now && !me.hadTurn(r)
		case Rest, Back:
			t.Now = t.Now && v.first() == node
		}
	}
	return t
}

// unseen is the version if the node has not voted on it.
func unseen(me Member, version int64) int64 {
	if _, voted := me.vote(version); version == 0 || voted {
		return 0
	}
	return version
}

// first is the node whose turn it is among those that are restarted one at a time:
// the one that began its life first, so that nobody who comes back overtakes one that
// is at it. Who has the file is not restarted a second time.
func (v View) first() string {
	r := v.Rollout
	for _, m := range v.Members {
		vote, voted := m.vote(r.Version)
		waits := vote.Serves && vote.Alone && !m.settled(r) && !m.hadTurn(r)
		if waits || !voted && !r.Overdue { // it will say whether it waits
			return m.Node
		}
	}
	return ""
}
