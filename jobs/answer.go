package jobs

// Answer is what the database says to a run that is to begin.
type Answer string

const (
	AnswerBegun     Answer = "begun"
	AnswerRunning   Answer = "running"   // a run is open
	AnswerAccounted Answer = "accounted" // the slot has its row, or is not owed
	AnswerChanged   Answer = "changed"   // the definition is another by now
	AnswerEarly     Answer = "early"     // the slot is not due yet
	AnswerFull      Answer = "full"      // as many runs are open as may be
	answerLost      Answer = "lost"      // the lease is not held
)
