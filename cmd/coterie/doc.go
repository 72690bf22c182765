// Command coterie is all of coterie in one program: the agent that runs beside
// an application server, and the verbs with which people look and act.
//
// # Who does what
//
// Reading is SQL: a verb that looks reads one view of the schema coterie and
// shows its rows, whatever columns they have. Commanding is SQL too: a verb that
// acts calls one function under a database role, which checks it and writes the
// ledger in the same statement. Nothing is commanded over HTTP.
//
// When the database cannot be reached, status asks the agent of this machine by
// its Unix socket, and says how old that knowledge is.
//
// # Talking
//
// The result goes to stdout, the talk to stderr. Lists come as a table of what
// matters within 80 columns, as wide, json, jsonl, yaml or csv. An error says
// what was attempted, why it did not work and what to do, under a code that
// "doctor --explain" knows. What changes something says beforehand what it will
// do (-n), asks when it can be regretted (-y answers), keeps the reason given
// for it (-m), and can be repeated.
//
// # Exit codes
//
//	0 done, or all is well     4 no such thing          7 timed out, still going on
//	1 failed                   5 refused                8 partly done
//	2 usage or configuration   6 database unreachable   10 dry run: there are changes
//	3 degraded
//
// # The house
//
//	main.go, root.go     streams, global flags, the list of verbs
//	cluster.go           configuration and database, opened and checked
//	problems.go          errors of packages -> problems with code and remedy
//	output.go, ask.go    showing rows, asking people
//	a file per verb      named for it
//
// Verbs are built by methods of cli, which holds the streams and global flags;
// there is no state outside it.
package main
