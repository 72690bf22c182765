// Package mutants has no code of its own, only a test: it shows that the
// simulator sees.
//
// Each mutant is a bug, most of them found in the wild, as an edit of the code in
// leases, or of the model in leasesim where the bug would be one of SQL. The
// simulation runs over it (go test -overlay, so no file is touched and production
// code carries no switches) and must fail. An edit that does not fit the code any
// more fails the plain test, so the table keeps up.
//
//	go test ./leases/leasesim/mutants -mutants -v -timeout 30m
package mutants
