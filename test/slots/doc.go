// Package slots runs millions of slots while everything is done to have one of them
// started twice, and judges by a file that the database has no part in.
//
// Three nodes, each a session and a runner with two pools of connections, share
// hundreds of jobs that are due ten times a second. Meanwhile
//
//	a node's session, its runs' calls, or both are cut off, for less and for more than its time to live
//	backends are ended while they answer, so that nobody knows whether a commit was made
//	the database stands still, or crashes and recovers
//	leases are moved, and nodes leave and come back
//	rivals with the login of a node begin slots that have begun, and slots that are just due,
//	under tokens of now and of before, and act when they are told that they may
//
// Whoever acts writes a line into the witness file first: appended by one write, and
// never read until the end. The judge then holds three things against each other:
//
//	witness   no line twice: no slot was started twice
//	table     every line has its row, every success its line; the key holds in the rows themselves
//	grid      of each job every slot from its first to its last has a row
//
// Rounds can follow each other in one directory, so that a long run is made of short ones:
//
//	make witness                           # ten million slots
//	go test ./test/slots -run StartsTwice -dir D -slots 500000   # one more round in D
package slots
