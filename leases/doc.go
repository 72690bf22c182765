// Package leases is the kernel: it decides which node holds which lease, and
// tells the holder, in time, when it no longer does.
//
// # The problem
//
// Several nodes share one PostgreSQL. Some work must be done by exactly one of
// them. The network may drop packets, a process may be frozen for minutes and
// go on as if nothing had happened, a clock may be an hour off, an answer may be
// lost after the database committed. In all of this two nodes must never act for
// one lease at once, and when a holder is gone another must follow soon.
//
// # Nouns
//
//   - A node is a name. A session is one life of a node: a row with a random
//     incarnation and a count of beats. Only the session expires.
//   - A lease is a named authority. It has no expiry: it is valid exactly while
//     its (node, incarnation) is a session that has not been ended.
//   - A class says what a node must be able to do to take a lease by itself. A
//     node takes classes; a free lease goes to a node that takes its class.
//   - A token is the fencing token: every new holder gets a higher one. An
//     effect that carries an old token is refused by whoever checks it, for
//     example by coterie.assert_lease in the transaction that makes the effect.
//   - A grant is a lease and its token, given to a Holder. The holder's context
//     is the authority: it ends before anybody else can begin. A Keeper is told the
//     same without a goroutine and a context for each lease.
//
// # One heartbeat
//
//	           own clock                            database's clock
//	began  ----------- coterie.tick ------------->  renew: expires = clock + ttl
//	                                                end the dead, free their leases
//	                                                give back, take
//	received <--- head, peers, held, free --------
//	   |
//	   +-> Step: begin, end or yield holders; whom to end and what to take next
//
// The next heartbeat carries what Step decided, so one round trip does all, and
// an idle node costs one statement per heartbeat whatever it holds: the list of
// leases comes only when the ledger (coterie.event) moved past what the node has
// seen.
//
// # When a holder stops trusting its session
//
//	began                                 trust ends      may be ended
//	  |------------------ ttl - margin --------|---- margin ----|
//	  |                                        |                |
//	  attempt starts, own clock                holders' contexts end (ErrLost)
//
// Trust counts from the start of the last acknowledged attempt, on the node's own
// clock, and ends by a timer that does not wait for the driver. An attempt whose
// answer is lost renews nothing; it is given up early enough for another one. When
// the time to live is made shorter, a node goes by the longer one until it knows,
// and its heartbeats say so: nobody counts by a time that it has not heard of.
//
// # When a session may be ended by another node
//
// Two clocks must agree. The database's: it is past expires_at, or so far before
// it that the clock was set back. The other node's own: it has seen (incarnation,
// beats) unchanged for the session's whole time to live, counted from when it
// received the answer that showed them. The ending is a compare-and-set on
// (incarnation, beats), so a database clock that jumps, or a slow observer, ends
// nobody who lives. A node ends its own former life by the same rule, unless its
// process is known to be gone. Expiry is permission, not loss: while its row is
// there a node may renew, and after a long outage of the database it goes on with
// what it holds, under new tokens.
//
// # Eras
//
// A token's high part is the era of the database. Another server, database or
// schema than before, another timeline, a token that the database does not know
// although some node does (Mark), or a row that is older than what a node has seen
// of it (Old): each means that the history was cut. The first heartbeat that
// notices begins a new era in its own transaction: all sessions end, all leases
// are free, and tokens start above every token ever given. The nodes begin new
// sessions. Nothing is granted before all trust in the era before is over, again
// by two clocks: a node has itself seen the new era for that long (Settles), and
// the database's clock says the same. A clock that jumps begins no era: it ends
// nobody, and a host that was stopped for a second cannot tell its own jump from
// the database's.
//
// # Who takes what
//
// The free leases are dealt out: each to the node that holds least of those that
// take its class, and none to a node whose beats stand still. Every node computes
// the same from the same listing and takes what was dealt to it; after a heartbeat
// of patience it takes whatever is still free, so balance never leaves a lease
// without a holder. When a node holds two leases more than another that takes one
// of them, it asks a holder to yield; it hands over when it is idle.
//
// # Failure
//
//	the node is killed           its session is ended by a witness after ttl + heartbeat at most,
//	                             or at once by its last will (coterie.session_end)
//	the node is frozen           its holders' contexts are found ended when it wakes; its token is refused
//	the database is away         holders end at ttl - margin; they begin again, with new tokens, when it is back
//	the answer is lost           not held by me, perhaps held for others; the next list tells
//	the row was ended            ErrLost from Run: the caller begins a new session
//	a copy renews the same life  ErrLost from Run: it beat more often than this process did
//	an application asserts       a lease row held by assert_lease is passed over, not waited for
//
// Decisions are pure: State.Step maps what was seen to actions without time,
// goroutines or SQL, and Session feeds it. A simulator runs the same code.
package leases
