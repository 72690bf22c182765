// Package identity shows with real agents that an installation knows who it is
// and what was given out: a copy of it is refused, and a database that was set
// back is found out.
package identity
