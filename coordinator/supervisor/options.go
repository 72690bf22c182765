package supervisor

import (
	"log/slog"
	"os"
	"time"
)

// Options say what to supervise.
type Options struct {
	Agent []string // argv of the agent; Agent[0] is a path. Our own executable is started even when its file has been replaced
	Env   []string // of the agent and of the last will; nil is the environment of this process
	Log   *slog.Logger

	WillTimeout time.Duration // for the last will; 5 s when zero
	GiveUpAfter time.Duration // the wait for runs that cannot be killed, when the agent is dead; 15 s when zero
	Impatience  time.Duration // a second SIGTERM or SIGINT within this kills the agent; 10 s when zero

	Input           *os.File // stdin of the agent, for it to hand on; nil is empty
	Stages          bool     // start programs through a stage even where they can be forked
	NoCgroup        bool     // do without cgroups even where they are available
	NoNewPrivileges bool     // nothing below may gain privileges, by sudo or a set-user-ID file
}
