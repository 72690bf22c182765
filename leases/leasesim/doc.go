// Package leasesim simulates clusters: thousands of hours of nodes, databases and
// networks that fail, in seconds, over the very code that ships.
//
// # What is real and what is a model
//
//	leases.State, leases.Beginning     real: every decision
//	leases.Session                     followed step by step (process.go): when it asks, what it waits for
//	sql/schema/functions               a model, clause by clause (functions.go); a test says the same to the
//	                                   model and to PostgreSQL and compares the answers (agree_test.go)
//	PostgreSQL                         a model of what matters here: statements that see what is committed and
//	                                   commit later than they count, row locks that are waited for or passed
//	                                   over, sequences, a clock, a tail of commits that may be lost
//	network, hosts, processes          models: see network.go, host.go, inbox.go
//
// Everything that happens is an event in one heap, and one seed decides all of it:
// the same seed gives the same run, step for step.
//
// # A run
//
// Storms and quiet alternate. In a storm a few kinds of faults strike at random,
// wait as traps for a node to come to a certain point, or follow a plot: faults
// that only hurt together. Then all is mended, and the cluster must recover.
//
// Own clocks run up to five percent wrong, all the time. Beyond that either the
// database's clock lies in a run (jumps, another rate) or those of hosts do (three
// times too fast): two that lie at once are more than two clocks can bear.
//
// # What is checked, always
//
// The checker knows the real time and every process (check.go).
//
//   - No two holders of a lease believe at one moment: from when one begins until its
//     context ends for loss, it has returned, or its node's trust ends.
//   - A session is ended by others only when its node does not trust it any more.
//   - Tokens of a lease rise with each claim and each beginning, and none is given
//     twice, also across promotions and restores that lost commits.
//   - A holder begins after the one before it in the same process has returned, and
//     none acts on after the trust ended while its process is awake.
//   - What an application does in a transaction that began with assert_lease is
//     committed before the lease has another token.
//   - No node sends heartbeats without need, and no era begins unless the history was cut.
//
// # What is checked in quiet
//
//   - Each lease that a live node wants has a holder within a time to live, two
//     heartbeats and patience, and what the database's clock was set back by: up to
//     a time to live of it cannot be told from a clock that is right.
//   - No node holds two leases more than another that takes one of them.
//   - Then nothing moves. When a node leaves or joins, no more than its share does, and one.
//
// # What is left out
//
// An old primary that lives on beside a promoted one: exclusion cannot be had then,
// tokens must be checked. A server that is set back without a timeline of its own
// is found only once a node that knows more comes by. A change to a longer time to
// live is never among the commits that are lost: whoever makes one waits for his
// standbys.
//
// # When a seed fails
//
//	go test ./leases/leasesim -run TestStorms -sim.seed=N -sim.trace
//
// prints every step. What the simulator can see is shown by leasesim/mutants.
package leasesim
