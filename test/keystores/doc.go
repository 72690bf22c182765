// Package keystores shows by real agents, and by servers that speak TLS, that no
// keystore which is bad in any way reaches a node, and how soon it is told when
// somebody changed what is in place.
package keystores
