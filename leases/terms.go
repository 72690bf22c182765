package leases

import (
	"errors"
	"fmt"
	"time"
)

// Token is a fencing token: it rises with every new holder of a lease. Its high
// part (from bit 40) is the era of the database, its low part a counter.
type Token int64

// eraBits is where the era begins in a token.
const eraBits = 40

// Era is the era of the database that gave the token.
func (t Token) Era() int64 { return int64(t) >> eraBits }

// Causes for which a holder's context ends; ask context.Cause.
var (
	// ErrLost means the session is not to be trusted any more: stop now, others may follow.
	ErrLost = errors.New("leases: lost")
	// ErrMoved means the lease is given up on purpose.
	ErrMoved = errors.New("leases: moved")
)

// ErrTaken is what beginning a session returns when another life of the node is at work.
var ErrTaken = errors.New("leases: another process is at work under this node's name")

// Terms are the times of a session. All nodes get the same ones from the database.
type Terms struct {
	TTL       time.Duration // how long a session outlives its last heartbeat
	Heartbeat time.Duration // how often it is renewed
	Margin    time.Duration // how long before its end it is no longer trusted
}

// Validate returns an error when a node could not miss one heartbeat and still
// stop its work before its session may be ended.
func (t Terms) Validate() error {
	switch {
	case t.TTL <= 0 || t.Heartbeat <= 0 || t.Margin <= 0:
		return fmt.Errorf("session terms must be positive, not ttl %v, heartbeat %v, margin %v", t.TTL, t.Heartbeat, t.Margin)
	case 2*t.Heartbeat+t.Margin >= t.TTL:
		return fmt.Errorf("2 x heartbeat %v + margin %v must be less than ttl %v", t.Heartbeat, t.Margin, t.TTL)
	}
	return nil
}

// Trust is how long an acknowledged attempt may be trusted, from its start.
func (t Terms) Trust() time.Duration { return t.TTL - t.Margin }

// Attempt is how long a heartbeat may take before it is given up: short enough
// that the next one can renew the trust that the one before it brought.
func (t Terms) Attempt() time.Duration { return (t.Trust() - t.Heartbeat) * 2 / 3 }
