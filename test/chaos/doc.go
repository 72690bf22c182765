// Package chaos judges what a cluster did while it was hurt.
//
// A trial (chaos_test.go) runs real agents and a real database, and a nemesis
// that kills, freezes and cuts them off. Meanwhile everybody who cannot be
// mistaken writes down what happens:
//
//	the ledger        coterie.event: who claimed, gave back and lost which lease
//	the witnesses     programs of jobs: when they lived, and what they were allowed to do
//	the application   effects that were committed under assert_lease
//	the runs          coterie.run: what became of each slot
//	a reader          what the lease table showed, all the time
//
// Check holds these against each other:
//
//	ledger      a lease is claimed only when it is free, by a node that lives, under a higher token
//	beliefs     no two programs of one lease live at one instant
//	effects     no effect was committed under a token after a higher one was claimed; none that was acknowledged is lost
//	eras        a fail-over begins an era
//	slots       each due slot has one row that tells what became of it, and at most one program
//	ending      who is told to stop ends
//	healing     after the last fault all is well again
//	history     claims, reads and effects of a lease happened in some order that a lease allows (porcupine)
//
// A trial in which too little happened proves nothing, and fails.
package chaos
