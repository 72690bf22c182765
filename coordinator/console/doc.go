// Package console answers the questions that load balancers, monitoring and
// people ask of one agent over HTTP, on a TCP address and on a Unix socket.
//
// # The problem
//
// Whoever asks must get an answer when things are at their worst: the database
// is away, the share hangs, a thousand requests a second come in. And a question
// must never make things worse: no request causes a statement in the database or
// touches the share, and no request changes anything.
//
// # Nouns
//
//   - A snapshot is what the agent knows in memory at one moment. The agent's
//     wiring makes it; every answer is computed from one snapshot and nothing else.
//   - A document is a list as it was last read from a view, and when that was.
//   - A segment is one thing that must work on this node: the session, the
//     database, the share.
//
// # Routes
//
//	/check             200 every segment works, 500 the failing ones by name and why
//	/lb                200 ready, 404 draining, 503 out
//	/live              200 while the agent's loops turn
//	/ready             200 once joined, with a known schema and a proved share
//	/role/LEASE        200 while this node holds the lease; ?any: 200 while anybody does
//	/metrics           for Prometheus
//	/status.json ...   the views as JSON, with their age
//	/version           what runs here
//	/                  a page for people
//
// GET, HEAD and OPTIONS are answered with the same code, because some load
// balancers probe with OPTIONS; everything else is 405.
//
// # Laws
//
//   - An answer that steers user traffic is fail-static: while the database is
//     away, /lb repeats what was last wanted of this node. Else losing one
//     database would take every node out of every load balancer at once.
//   - /role is the opposite: authority ends with trust in the session, whatever
//     the database does.
//   - What was never read is not an empty list: it is 503, or said in words.
//   - How old an answer is, is counted on this process's monotonic clock. Times
//     that are shown come from the database's clock as heartbeats estimate it.
//   - What comes from rows is foreign text. The page escapes all of it, needs no
//     script and no other host, and says so in its Content-Security-Policy.
//
// # Who may ask
//
// The listener is for reading, so it has no tokens. It is on the loopback
// address unless told otherwise; there, requests for what people read must name
// this host, so that a web page from elsewhere cannot make a browser read it
// through a DNS name of its own. The socket has mode 0660.
//
// # Failure
//
//	the database is away       answers come from memory, and say how old they are
//	the agent's loops stop     /live and /check fail; /lb keeps its word
//	too many connections       the next ones wait; the agent's own descriptors are safe
//	a client is slow           it is cut off
//	the socket is in use       ErrSocketTaken; a stale one is replaced
package console
