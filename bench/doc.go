// Command bench measures what coterie promises about speed, beside the programs
// that it is compared with, in one run on one machine:
//
//	etcd      sessions, elections and mutexes of its own client
//	River     leader election on PostgreSQL
//	pgbench   the same row update without anything of ours
//	by hand   licence seats counted as one does at first, and under a lock
//	rclone    looking at a tree in which nothing changed, comparing, copying;
//	          so rsync and cp, and a bare walk
//
// What is compared takes turns: a round of ours, a round of the peer's, and so
// on, so that whatever else the machine does meanwhile meets both. Every peer is
// started here, on the loopback address, with a data directory of its own, and
// ended by its process id. A peer that is not installed is said so, and its
// columns stay empty: nothing is quoted from elsewhere.
//
// PostgreSQL runs as it does in production: it waits for the disk at each commit.
//
// The program is a module of its own, so that no peer ever becomes a dependency
// of coterie.
//
// # Words
//
//	figure   one thing that is measured, with its limit; a file here
//	round    a stretch of it, seconds long
//	try      one event that is waited for, such as a take-over
//	line     a network that can be made to swallow everything
package main
