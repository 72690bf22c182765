// Package rollout decides how a version of a keystore comes to all nodes of a
// cluster, and how all of them come back when one cannot take it.
//
// # The problem
//
// A certificate that half of the servers show is worse than an old one, and a
// keystore that a server cannot open is noticed when the server does not come up
// again. Nodes die on the way, are away, come back, and whoever decides dies too.
//
// # Nouns
//
//   - A View is what the database knows at one moment: the rollout that is open, the
//     version that is active, and of each living node its Vote and its Report.
//   - A Vote is what a node found when it opened the version and looked at it as its
//     server would. A Report is what it has in place, proved by a handshake.
//   - A Task is what one node is to do now: look at a version, have one in place, wait.
//   - A Turn is a change of the rollout's phase. Any node takes it; the database takes
//     it once, and only if no row that it was decided upon has moved.
//
// # Phases
//
//	voting ----> canary ----> rest ----> done      the version is the active one
//	  |  \          |           |
//	  |   refused   +---> back <+
//	cancelled              |
//	                     failed                    the former one still is
//
// # Laws
//
//  1. Nobody puts a version in place before every living node would take it.
//  2. Nobody but the canary does before the canary's server shows it.
//  3. A version is active when every living node has it. Until then the former one is,
//     and a node that joins takes what the phase says.
//  4. When one node cannot, or says nothing for too long, all have the former version
//     again. That goes on until every living node has it.
//  5. A server that must be restarted is restarted while no other is.
//
// # Failure
//
// The package knows no database, no file and no clock: it maps a View to what is
// next, the same on every node. Who dies leaves rows from which others go on; who
// comes back does what the rows say. The simulator kills at every step.
package rollout
