package jobs

import (
	"strings"
	"time"
)

// builtinPrefix begins the names of the jobs and actions that every cluster has.
const builtinPrefix = "coterie."

// Builtin tells whether a name is that of a job or action of our own. A file of
// jobs that does not name such a job leaves it as it is.
func Builtin(name string) bool { return strings.HasPrefix(name, builtinPrefix) }

// PruneAction is the action that deletes what history is older than it is kept.
const PruneAction = builtinPrefix + "prune"

// Builtins are the jobs that a new cluster begins with. A file of jobs may name
// them, to give them another schedule or to switch them off.
func Builtins() []Definition {
	return []Definition{
		{Name: PruneAction, Schedule: "@every 1h", Action: PruneAction, Timeout: 50 * time.Minute, Misfire: MisfireOnce, Keep: 7 * 24 * time.Hour},
	}
}
