// Package upheaval has no code of its own, only tests: what befalls a database
// in production is done to real PostgreSQL servers while nodes hold leases there.
//
//	promotion     the primary is lost with a tail of commits, its standby takes over
//	split         the primary lives on beside its promoted standby
//	restore       the database is what it was earlier, or is another one
//	interruption  it crashes, is killed, is frozen, or its disk is full
//	replication   a synchronous standby is away: commits are local only
//	pooler        PgBouncer stands between
//
// Nodes are leases.Sessions in this process, each with connections and a memory
// of its own, as an agent has them. While a node holds a lease it makes effects,
// transactions that assert the lease. At the end of each test four things are
// checked: no two nodes held one lease at one moment, by the one monotonic clock
// of this machine; no token was given twice, and later ones are higher; every
// acknowledged effect is there, unless its loss was the point; effects of a lease
// never go back to a lower token.
package upheaval
