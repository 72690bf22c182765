package supervisor

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNotSupervised: this process has no supervisor, so nothing would stop its jobs if it froze or died.
	ErrNotSupervised = errors.New("supervisor: this process is not supervised")
	// ErrUnsupported: the operating system gives too little to keep what the package promises.
	ErrUnsupported = errors.New("supervisor: not supported on this operating system")
	// ErrGone: the supervisor died or closed the line. What ran has been killed by the client, its outcome is unknown.
	ErrGone = errors.New("supervisor: the supervisor is gone")
	// ErrSilent: the supervisor lives but does not answer. The client has killed what ran, and the supervisor.
	ErrSilent = errors.New("supervisor: the supervisor does not answer")
	// ErrNoAuthority: nothing may start, because the deadline has passed or was never extended.
	ErrNoAuthority = errors.New("supervisor: the agent's authority has ended")
	// ErrDuplicate: a run of that ID has not ended yet.
	ErrDuplicate = errors.New("supervisor: a run of this ID has not ended")
	// ErrTooLarge: a command's arguments and environment do not fit into one message.
	ErrTooLarge = errors.New("supervisor: message too large")
	// ErrNoStage: the program's main does not call Stage first.
	ErrNoStage = errors.New("supervisor: the program does not call supervisor.Stage first")
)

// A StartError says why a program did not start. Unwrap gives the errno, so
// errors.Is(err, fs.ErrNotExist) and the like hold.
type StartError struct {
	ID    string
	Doing string // "exec /bin/x", "chdir to /x", "set user", ...
	Err   error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("start %s: %s: %v", e.ID, e.Doing, e.Err)
}

func (e *StartError) Unwrap() error { return e.Err }

// A StuckError says that processes of a run live on although they were killed:
// the run must not be called ended. Waiting may go on.
type StuckError struct {
	ID        string
	Processes []StuckProcess
}

// A StuckProcess is one that SIGKILL did not end.
type StuckProcess struct {
	PID   int    `json:"pid"`
	State string `json:"state"` // as in /proc: D waits for a device or a share
	Why   string `json:"why,omitempty"`
}

func (e *StuckError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s cannot be killed:", e.ID)
	for _, p := range e.Processes {
		fmt.Fprintf(&b, " %d (%s)", p.PID, strings.TrimSpace(p.State+" "+p.Why))
	}
	return b.String()
}
