// Package seats shows licence seats with real agents and real applications: a
// servlet container with the example's filter, the example in Go, agents that are
// killed, frozen or copied.
package seats
