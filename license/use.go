package license

import (
	"errors"
	"time"
)

// Use is a reason why a seat is held on this node: a session of an application
// in which a holder works.
type Use struct {
	Pool    string
	Holder  string
	Session string // of the application; may be empty
	Host    string // of the holder; may be empty
}

// Kind tells what a seat is.
type Kind string

// Kinds of seats.
const (
	Normal    Kind = "seat"      // of the entitlement
	Overdraft Kind = "overdraft" // beyond it, by the pool's rule
	Excess    Kind = "excess"    // beyond it: somebody at work when no seat was left
	Escrowed  Kind = "escrow"    // granted while the database was away, out of what was kept for that
	Graced    Kind = "grace"     // granted while it was away, beyond that
)

// Seat is what a holder has.
type Seat struct {
	Number int // 0 until the database has told it
	Kind   Kind
}

// Why there is no seat.
var (
	ErrDenied  = errors.New("no seat")
	ErrNoPool  = errors.New("no such pool")
	ErrName    = errors.New("not a name that can be shown, or too long")
	ErrAway    = errors.New("the database does not answer, and nothing was kept for that")
	ErrForeign = errors.New("this use is another user's")
	ErrTooMany = errors.New("too many uses at once")
	ErrNotHeld = errors.New("not checked out here")
)

// DeniedError is a refusal with its reason.
type DeniedError struct {
	Pool   string
	Reason string
}

func (e *DeniedError) Error() string { return "no seat of " + e.Pool + ": " + e.Reason }

// Is makes it an ErrDenied.
func (e *DeniedError) Is(target error) bool { return target == ErrDenied }

// Pool is what a node must know of a pool to act while the database is away.
type Pool struct {
	Name      string
	Kind      string
	Weight    int           // seats of one checkout
	Idle      time.Duration // how long a use may go without renewal; 0: for ever
	Escrow    int           // checkouts to be prepared for
	Grace     time.Duration // for how long grace is given; 0: refuse
	PerNode   bool          // the node itself holds the seat
	Lingering bool
}

// Op is what a node asks of the database.
type Op string

// Ops, as coterie.license_batch knows them.
const (
	opOut   Op = "out"   // check out
	opAgain Op = "again" // is at work
	opAdopt Op = "adopt" // was granted out of escrow
	opIn    Op = "in"    // check in
	opIdle  Op = "idle"  // check in what was not renewed
)

// Item is one of a batch.
type Item struct {
	Op Op
	Use
}

// Reply is what the database says to an item.
type Reply struct {
	Answer string
	Seat   Seat
	Reason string
}
