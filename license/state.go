package license

import (
	"sync/atomic"
	"time"
)

// State is what a node knows of its uses. Step takes in what happened and Next
// says what to ask the database; neither asks a clock or starts anything. Times
// are durations on the node's own clock, which counts also while the host sleeps.
type State struct {
	Patience time.Duration // how long a checkout may wait for the database

	pools  map[string]Pool
	uses   map[Use]*use
	queue  []Use // what has something to tell, in order
	blocks map[string]*block

	life    int64   // incarnation of the session; 0 for none
	former  []int64 // incarnations that this process had before
	number  int64   // of the last call
	flying  bool    // a call is under way
	away    bool    // the last call failed
	since   time.Duration
	retry   time.Duration // no call before then
	closing bool
	moves   int64    // how often a seat was given or taken
	later   []Action // to be said with the next step
}

// use is what the node wants of a use, and what it knows of the database's mind.
type use struct {
	wanted  bool
	seated  bool // the application was told yes
	seen    bool // by a source, which sees it again after a start
	known   known
	how     Op // by which a wanted one is told
	leave   Op // by which an unwanted one is
	queued  bool
	asked   time.Duration // when the first one who waits asked
	touched atomic.Int64  // when it was renewed; set also by who only reads
	seat    Seat
	user    int
	waiting []int // tickets of those who wait to be let in
	leaving []int // and of those who wait to have left
}

// known is what the database has of a use, as far as the node knows.
type known int

const (
	absent known = iota
	present
	unknown // a call's answer was lost
)
