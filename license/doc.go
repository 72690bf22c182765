// Package license counts licence seats across the cluster: never one too many,
// never one leaked, and a user on two servers once.
//
// # The problem
//
// Users work on several servers that share one purchase of seats. They come back
// after a broken connection, log in on two servers, and never log out; servers
// die, freeze and are cut off; answers get lost after the database committed. To
// count first and insert then is one seat too many as soon as two do it at once.
//
// # Nouns
//
//   - A pool is what is counted by itself: its rules, and how many seats it is
//     entitled to. Entitlements add up; a signed file (File) or an operator's
//     plain word brings them.
//   - A seat is a row. The seats of the entitlement exist whether held or not, so
//     one too many cannot be written; what a rule permits beyond them (overdraft),
//     and users at work whom none was left for (excess), are rows apart.
//   - A key is what shares a seat: the user, the user on one host, the session, or
//     the node. One key has one seat, whatever the nodes.
//   - A use is a reason why a seat is held: a session of the application on a node.
//     It hangs off that node's session (package leases) and has no expiry.
//   - Escrow is seats that a node keeps in advance, for when the database is away.
//
// # One decision
//
//	applications       Desk                        coterie.license_batch
//	PUT  ana  ----->  seated? yes: answered
//	PUT  bob  ----->  no: the next call  ------->  later than the last call?      license_desk
//	DEL  cid  ----->  takes them all along         lock the pool, in order        license_pool
//	                                               what died is free              license_mend
//	                                     <-------  take and let, count, peak      license_seat, _use
//	                                     ------->  coterie.license_settle
//	          <-----  answered           <-------  on disk
//
// One call of a node is under way at a time, and it takes along whatever was asked
// for meanwhile: the more clients, the more decisions share one commit. The pool is
// locked while it is decided, and not while the disk is waited for: so nodes share
// one write, too. The pool's row is the lock, so limits, reservations and peaks are
// exact, nobody waits in a circle, and a refusal is told only after a look at what
// is really free.
//
// # Laws
//
//  1. Only a decision under the pool's lock, by a session that lives after the lock
//     was taken, gives a seat.
//  2. Every call may be said again. Each carries a number that rises with the
//     session's calls, and the database refuses one that comes after a later one:
//     a statement that was given up and runs late changes nothing.
//  3. What a node does not know, it says again: a use that is wanted is checked out
//     until the database has it, one that is not is checked in until it has not.
//  4. A check-in names its session, node and holder, and frees nothing else.
//  5. What is told is on disk, and so is all that it was decided upon
//     (license_settle, whatever the session's synchronous_commit).
//
// # When the database is away
//
// Whoever is seated stays seated. Others wait for Patience; then a seat of the
// node's escrow is granted, or the pool's grace is given, or they are refused. Both
// are written to a journal on disk before they are told. Escrow is the one thing
// with an end of its own: the node stops by its own clock, counted from before it
// asked; others take it back when the database's clock and their own agree that it
// is over. A node that asks the database for a seat does not touch its escrow there,
// since it might lose the answer and grant that seat again.
//
// # Failure
//
//	an agent is killed         its uses are void with its session, and are taken back before the next decision
//	an agent is started again  its memory (Remembered) says who is at work
//	an agent is frozen         as if it were killed; when it wakes its calls are refused, and it says again who is at work
//	the session was ended      the next one says again who is at work: a seat, or excess that is told
//	the answer is lost         asked again; the database has it once
//	a client hangs up          what nobody waits for is given back
//	an application dies        its uses go when they were not renewed for the pool's idle time
//	an era begins              all sessions end; who is at work is seated again before anybody new
//	an entitlement ends        holders stay, nobody gets another, seats vanish as they are given back
//
// What escrow an asynchronous standby did not have when it was promoted is not known
// to the new primary: it may give those seats to others before their time is over.
//
// Decisions of a node are pure: State.Step maps what happened to answers, State.Next
// says what to ask; Desk feeds them. What the database decides is SQL, and
// testdata/*.txt are its scenarios.
package license
