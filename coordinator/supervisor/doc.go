// Package supervisor keeps process trees from outliving the right to run them.
//
// A node may run jobs only while its session lasts. The agent cannot promise
// that alone: it can be frozen, deadlocked, starved or killed while its jobs
// run on, and another node will begin the same jobs. So a small process that
// knows no database is the parent of everything:
//
//	systemd
//	  `- supervisor            Run        one select; a timer on BootTime; adopts orphans
//	       |- agent            Client     extend, session, start, signal | started, exited, stuck
//	       |   `- its workers
//	       |- run "a"          a tree: session and group of its own, and a cgroup where possible
//	       |   `- children, children of children, ...
//	       `- run "b"
//
// The two talk in JSON lines over a socket pair that the agent inherits.
// Output does not pass through the supervisor: the agent makes the pipes and
// hands their writing ends along.
//
// # Laws
//
// The deadline is absolute, on the clock that nobody sets and that runs on in
// a suspended host. When it passes without an extension, all trees get TERM,
// and after the grace KILL, whatever state the agent is in. Until the next
// extension nothing starts. Only a tree that was started to outlast the deadline
// goes on: until it ends, the agent ends it, or the agent or this process ends.
//
// A run has ended when its tree is gone. What the program leaves behind is
// ended like a run (TERM, grace, KILL) and counted in Exit.Leftovers; only
// then is the exit reported. What SIGKILL does not end (it waits for a dead
// share, in state D) is reported as stuck, never as ended.
//
// The last will is spoken once, after the last process of the last run has
// gone, and not at all over a living run: it tells other nodes to go ahead.
//
// The supervisor waits for nothing but its select. What may hang (a working
// directory or program on a dead share, a user directory, whoever reads the
// log) is touched by the child between fork and exec, by the client, by a goroutine
// that may be lost.
//
// # What fails, and what happens
//
//	agent frozen, deadlocked    deadline: TERM, grace, KILL; it learns of it when it wakes
//	agent killed, crashed       KILL all trees and its own children, last will, exit with its code
//	agent leaves its line       as if its deadline had passed, without grace
//	agent says farewell, exits  the same without a last will
//	supervisor killed           programs die with it (parent-death signal); Client.Run kills the
//	                            rest of the trees by hand and returns ErrGone: the agent stops
//	supervisor frozen           five seconds of silence, or grace after a deadline while programs run:
//	                            the client kills it, and the trees; ErrSilent
//	both killed                 programs die; what they forked lives until the service manager
//	                            clears the unit's cgroup, or the next start sweeps it
//	host suspended              the deadline is checked at wake-up, before the agent runs a job
//	SIGTERM, SIGINT             passed to the agent; a second one within Impatience kills it.
//	                            A unit needs KillMode=mixed, or every process gets TERM at once
//	binary upgraded in place    agent and will still run the old file
//
// The agent's own parent-death signal is TERM, not KILL: the end of the line
// tells a living agent at once, it must then kill trees and may release its
// leases, and a killed one could do neither. A frozen agent is no danger
// without KILL: its leases have ended when it wakes.
//
// # How a program starts
//
// The supervisor forks, and goes on (package fork); the child sets itself up and becomes
// the program. Where that cannot be (macOS, Linux before 5.9, other processors), a stage
// stands between: our own program, kept waiting to become the next run, which costs a
// start of it each time. Options.Stages asks for that everywhere.
//
// # With and without a cgroup
//
// With a writable cgroup v2 and cgroup.kill (Linux 5.14; systemd: Delegate=yes),
// every run is born in a cgroup of its own. A tree dies at one instant, fork
// bombs included, and a process is in exactly one tree. It can be left only by
// who may write the directories above: root, or the unit's own user.
//
// Without, and for those who left: orphans are handed to the supervisor, so
// nothing ever stops descending from it, and a walk over /proc finds all; it is
// believed only when no orphan died meanwhile. Whose they are is known by
// parent, process group, session, and COTERIE_RUN in the environment. Killing
// stops all members and their groups, until none is new, before it kills any,
// which ends a fork bomb if the host can still be scheduled. A process that has
// hidden all four marks is nobody's: without cgroups it counts to, and dies
// with, any run that ends after its birth, so it may fall with another's run.
//
// In both: what a run asks another daemon to do (cron, docker, at) is not in
// its tree. A set-user-ID program can be killed by a supervisor that is not
// root only through a cgroup; otherwise it is reported as stuck.
//
// macOS has process groups only: descendants that leave their group are not
// found, and programs outlive a killed supervisor by the time that the client
// needs. Elsewhere Run and Dial return ErrUnsupported.
package supervisor
