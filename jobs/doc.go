// Package jobs runs jobs: each instant at which a job is due is run by one node
// of the cluster, once, or there is a row that says why not.
//
// # Nouns
//
//   - A job is a definition in the database: a schedule, an action, and what to
//     do when a run takes too long, overlaps or was missed.
//   - A slot is an instant at which a job is due. It is the same on every node:
//     schedules have no memory of when somebody started.
//   - A run is what became of a slot: one row of coterie.run, also for the slots
//     that were not run.
//   - An action is what a run does: a Func in this process, an Exec of a command,
//     an HTTP request. The database knows its name only; what it is stands in each
//     node's own configuration, so nobody who writes to the database can run
//     commands.
//   - A request is a run that somebody asks for, with parameters of its own. Those of
//     a queue job are each run by whichever node takes them, under lease request/ID.
//   - The holder of lease job/NAME runs the job NAME. A node takes such a lease if
//     it defines the job's action (Runner.Takes).
//
// # One slot
//
//	             due - 25 ms                 due
//	                 |                        |
//	holder  wait --> run_begin --answer--> wait --> action ----------> run_end
//	                 |                        |        |                 |
//	row              running ................ started .................. succeeded
//	                                                   |
//	                                       ctx ends: timeout, lease lost
//
// The run is begun in the database before it is due, so the action itself starts
// exactly when it is due; earlier still when the database has been slow lately.
// Runs that fall due together are begun by one statement, and so they are ended.
// Nothing is polled: a job that waits is an entry among those to be woken, and
// costs no goroutine.
//
// # Laws
//
//  1. A slot has one row, and a job at most one open run. Both are constraints of
//     the table, not habits of this package: an SQL client that goes around it
//     cannot record a second run.
//  2. A run is begun only under the live token of the lease, which stays where it
//     is until the beginning has committed. A new holder closes what a former one
//     left open as lost before it begins anything.
//  3. A run is ended only with the token and the nonce that began it. Whoever lost
//     the lease may still tell how its run ended, until it was closed as lost.
//  4. Slots are accounted for strictly in order. The last row of the schedule is
//     all that a new holder has to know, and nothing is silently left out.
//  5. The action's context is the authority. It ends with the lease, and the lease
//     is given back only after the action has ended. A run that may outlast the
//     loss of the lease (AwayFinish) is the exception; what it does is fenced.
//  6. Time is the database's: Runner.Now estimates it, timers measure durations.
//
// # Slots that are not run
//
//	skipped    it fell due while a run was open               (overlap), or in a pause
//	missed     nobody could run it when it was due            (misfire, catch-up window)
//	lost       its node lost the lease before it told the end
//	cancelled  it was stopped because its node gave the lease up, or by the slot after it
//
// After an outage misfire once runs the latest slot, skip runs none that is more
// than ten seconds late, and all makes up for the latest hundred one after
// another. At most a thousand slots get rows of their own; the oldest of these
// rows stands for all before it, and its reason says for how many and since when.
// Of slots that overlap the latest may wait (queue), or stop the run (cancel).
// A run that somebody asked for (Request) is not a slot: it waits until no run is
// open, and is never skipped.
//
// A slot that failed is tried again as the next attempt of its row (run_again), by
// whoever holds the job when it is due; so is one whose node was lost, if its job
// says so. Between two attempts the run counts as open. A pause is a fact of its
// own beside the definition: nothing is begun, and when it ends its slots are
// recorded as skipped.
//
// # Where, and how much at once
//
// The class of a job's lease names its action and the tags that it requires; a
// node takes the classes that it answers to. A group of jobs has so many runs at
// once in the cluster: run_begin counts under a lock of the group and answers full.
// A node has seats for so many runs (Runner.Most): the highest priority first.
//
// # Exceptions and summer time
//
// Cron fields are read by robfig/cron's parser; the instants are found here. What
// a schedule names in the hour that is skipped runs once, at the first instant
// after it. What it names in the hour that is repeated runs in the first of the
// two. A schedule of every hour follows elapsed time and knows neither. A job can
// say otherwise (Gap, Fold). @every is a grid since 1970 and has no time zone.
// Exceptions, bounds and jitter belong to the schedule: what they take away is no
// slot.
//
// # Failure
//
//	the node dies                 its open run is closed as lost by the next holder, which goes on after
//	                              the last slot that has a row
//	the node is cut off           its actions are stopped before anybody else may begin
//	an answer is lost             the call is repeated; begin, end and account can be said twice
//	the database is away          an action goes on while the lease is trusted; its end is told later
//	the definition changes        a beginning under the old one is refused, and the new one is read
//	an action panics              its run has failed
//	an action ignores its context its lease waits for it: better late than two at once
//
// # What a run leaves behind
//
// Its row, its output (bounded, sent while it goes on), what it said last of its
// progress, a checkpoint until a run of the job succeeds, and a notice for hooks when
// it did not go well. Each is written by whoever began the run, fenced by its token
// and nonce.
//
// Decisions are pure: State.Step maps what was seen to moves, without time,
// goroutines or SQL, and the loop of a held job makes them. The scenarios in
// testdata show both against a real database.
package jobs
