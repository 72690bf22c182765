// Package leasesim simulates clusters over the very code that decides in them.
//
// Hosts with clocks of their own, processes that are paused, killed and started
// again, a network that delays and loses, and a model in Go of the database's
// functions (sessions, leases, tokens, eras, its clock, promotion and restore) are
// events in one queue, driven by one seed, so that a run can be repeated exactly.
// leases.State is not modelled: it is the code that ships.
//
// After every event the promises are checked: no two holders believe in one lease
// at one instant, tokens rise and never come twice, a stale token asserts nothing,
// what somebody takes does not stay free, loads differ by at most one, and nobody
// asks the database again and again. A run in which too little happened fails.
//
// What it cannot show: an old primary that lives on beside a promoted standby.
// Exclusion cannot be promised there; tokens are.
package leasesim
