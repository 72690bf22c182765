// Package mutants makes programs with mistakes, to show that what looks for such
// mistakes finds them.
//
// A mutant is our code with an edit: a mistake that others have made, or that we
// have made ourselves. The edit is laid over the file while it is compiled (go
// help build, -overlay), so no file is touched and production code carries no
// switches. What must catch a mutant stands in three places:
//
//	leases/leasesim/mutants   the simulator catches it
//	test/chaos                real processes under faults do
//	here                      a test does, because the mistake needs no fault
//
// An edit that does not fit the code any more fails the plain tests, and each
// mutant has a line in docs/reliability.md.
//
//	make mutants
package mutants
