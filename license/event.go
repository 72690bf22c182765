package license

import (
	"time"
)

// Event is something that happened.
type Event interface{ event() }

// Asked is an application that wants a use.
type Asked struct {
	Use
	User, Ticket int
}

// Shown is a use that a source sees: it is at work, whether it has a seat or not.
type Shown struct{ Use }

// Left is an application that gives a use back.
type Left struct {
	Use
	User, Ticket int
}

// Gone is somebody who does not wait for an answer any more.
type Gone struct {
	Use
	Ticket int
}

// Recalled is who had a seat when the process before this one ended.
type Recalled struct{ Uses []Remembered }

// Began is a session that began.
type Began struct{ Incarnation int64 }

// Learned is what the pools are.
type Learned struct{ Pools []Pool }

// Answered is a batch that was acknowledged.
type Answered struct {
	Call    Call
	Replies []Reply
}

// Kept is escrow that was acknowledged.
type Kept struct {
	Call  Call
	Began time.Duration // when the call started
	Seats int
	Lasts time.Duration
}

// Failed is a call without an answer: what it asked for happened, or not.
type Failed struct{ Call Call }

// Elapsed is time that passed.
type Elapsed struct{}

// Stopped asks the node to give its escrow back.
type Stopped struct{}

func (Asked) event()    {}
func (Shown) event()    {}
func (Left) event()     {}
func (Gone) event()     {}
func (Recalled) event() {}
func (Began) event()    {}
func (Learned) event()  {}
func (Answered) event() {}
func (Kept) event()     {}
func (Failed) event()   {}
func (Elapsed) event()  {}
func (Stopped) event()  {}

// Action is an answer to who waits.
type Action struct {
	Ticket int
	Use    Use
	Seat   Seat
	Err    error
	Record bool // written down before it is said: the database does not know
}

// Call is what to ask the database next.
type Call struct {
	Number      int64
	Incarnation int64
	Keep        string  // the pool whose escrow is kept, or
	Want        int     // how many seats of it
	Former      []int64 // lives whose escrow is this process's, too
	Batch       []Item  // else what is said of uses
}
