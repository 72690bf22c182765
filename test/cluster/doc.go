// Package cluster runs a whole cluster on one machine, to hurt it: a private
// PostgreSQL, real agents with their supervisors, a link from each agent to the
// database that can be cut in several ways, and jobs whose programs bear
// witness.
//
//	test ---- kill, stop, continue ----> agent a ---- link a ----+
//	                                     agent b ---- link b ----+-- PostgreSQL
//	                                     ...                     |
//	               witness file <-- job's program ---------------+
//
// One machine is better than several for this: all processes read one
// monotonic clock, so that the witness file says truly who acted before whom,
// and a fault can be begun and ended to the millisecond.
//
// What an agent thinks is never asked. The harness believes the ledger
// (coterie.event), the witness file, and the processes that are there.
package cluster
