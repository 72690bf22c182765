// Package demo shows a whole cluster on one machine, in seconds and without a
// network, and then tries to break it.
//
// Everything is real: a private PostgreSQL, one agent per node as processes of
// the very program that is installed elsewhere, and jobs that work on a shared
// folder. Only the terms are short, so that a person need not wait.
//
//	demo --+-- PostgreSQL            private, by a Unix socket
//	       +-- app-a  agent ... runs      \
//	       +-- app-b  agent ... runs       > each by a line of its own (line.go), which can be cut
//	       +-- app-c  agent ... runs      /
//	       +-- applications          write what the jobs work on
//	       +-- reaper                cleans up when the demo cannot
//
// # What it proves
//
// Every effect of a job goes past a witness (witness.go): a file on the share to
// which each run appends what it does, and which knows nothing of the database.
// At the end the demo compares three things that were written independently: the
// grid of each schedule, the table of runs, and the witness. A slot without
// exactly one row, a slot begun twice, a run that the table does not know, or an
// effect under a token that a later one overtook, makes the demo fail. So does a
// demo that showed too little.
//
// # Leaving nothing behind
//
// All files are in one folder, all processes carry its name in their environment
// (markEnv). However the demo ends, the kernel tells its children, and the reaper,
// a process in a session of its own that waits for the end of a pipe, kills what is
// left and removes the folder. Should the reaper be killed too, the next demo finds
// a folder that nobody has locked.
package demo
