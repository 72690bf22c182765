package supervisor

import (
	"io"
	"os"
	"syscall"
	"time"
)

// A Command is a program to run as a process tree of its own.
type Command struct {
	ID   string   // names the run; unique among those that run, and what the program reads in COTERIE_RUN
	Argv []string // never a shell; a bare name is looked up in Env's PATH
	Dir  string   // "/" when empty
	Env  []string // exactly this, and the marks that tell the tree's processes from all others
	User string   // name or number; "" is the supervisor's own. Looked up by the client

	// Outlasts lets the run go on when the agent's authority ends: only its own end,
	// a signal, or the end of the agent or the supervisor ends it. It is for programs
	// whose every effect is refused once somebody else has begun.
	Outlasts bool

	Limits   Limits
	Input    *os.File  // its stdin; nil is empty
	Output   io.Writer // gets stdout, and stderr through the same pipe unless Errors is set; nil discards
	Errors   io.Writer // gets stderr, apart from stdout; nil sends it to Output
	Progress io.Writer // gets what the program writes to the descriptor named in COTERIE_PROGRESS_FD

	// Program, when set, is what runs in place of Argv[0]: a file that the
	// caller has opened and checked, so that nobody can exchange it between the
	// check and the exec. A script's interpreter sees it as /proc/self/fd/N.
	Program *os.File
}

// Limits bound each process of a tree. Zero leaves a limit as it is.
type Limits struct {
	OpenFiles   uint64        `json:"open_files,omitempty"`
	Processes   uint64        `json:"processes,omitempty"` // counts all processes of the user; root is exempt
	FileBytes   uint64        `json:"file_bytes,omitempty"`
	MemoryBytes uint64        `json:"memory_bytes,omitempty"` // address space
	CPU         time.Duration `json:"cpu,omitempty"`          // rounded up to seconds
}

// A Cause says who ended a run.
type Cause string

const (
	CauseItself   Cause = ""         // the program returned or failed by itself
	CauseKilled   Cause = "killed"   // Process.Signal
	CauseDeadline Cause = "deadline" // the agent's authority was not extended
	CauseAgent    Cause = "agent"    // the agent died, or left its line
)

// An Exit is the end of a whole tree: when it is reported, no process of it is left.
type Exit struct {
	Code      int            `json:"code"`             // -1 when a signal ended the program
	Signal    syscall.Signal `json:"signal,omitempty"` // 0 when it returned
	Cause     Cause          `json:"cause,omitempty"`
	Leftovers int            `json:"leftovers,omitempty"` // processes that were there when the program had ended by itself, and were ended
	Usage     Usage          `json:"usage"`
}

// Usage is what the program and the children it waited for consumed.
type Usage struct {
	User   time.Duration `json:"user"`
	System time.Duration `json:"system"`
	MaxRSS int64         `json:"max_rss"` // bytes
}

// A Session is what the agent stands for, and the last will that the supervisor
// speaks for it when it dies. The will's argv is visible to everybody on the
// host, so it must hold no secret.
type Session struct {
	Node        string
	Incarnation int64
	Will        []string // nothing is said when empty
}
