// Package policies shows with real agents that jobs go where they may, end as
// their job says, and that a cluster is not drained by mistake.
package policies
