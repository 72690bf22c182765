package problem

// leases are the problems of holding, moving and acting.
func leases() []Entry {
	return []Entry{
		{"COT-101", ExitNone, "no such lease",
			"coterie leases",
			`Nobody holds or wants a lease of this name. Leases of jobs are called job/NAME,
leases of services service/NAME; leases that applications take may have any name
without a slash.`},
		{"COT-102", ExitFailed, "lease lost",
			"coterie why LEASE; then run the command again",
			`The lease was lost while the command ran, so the command and everything it had
started were stopped before another node could begin. The usual causes are a
database that was away for longer than the session's time to live, a machine
that was suspended, or a node that was evicted.`},
		{"COT-103", ExitRefused, "lease held by another",
			"wait for it, or coterie switchover LEASE",
			`The lease has a live holder. It becomes free when the holder gives it back,
ends, or does not renew its session for the time to live.`},
		{"COT-104", ExitRefused, "token is stale",
			"coterie why LEASE; stop what still acts with the old token",
			`The database refused a change because it came with a token older than the one
now in force. Whoever sent it once held the lease and does not any more, for
instance a process that was frozen and came back. Nothing was changed; this is
the fence that keeps two holders from both acting.`},
		{"COT-105", ExitTimedOut, "hand-over not finished",
			"coterie leases; the hand-over goes on by itself",
			`The lease has not moved within the time that the command was willing to wait.
The old holder finishes the run that it is in before it lets go. Nothing is lost
by not waiting; asking again does no harm.`},
		{"COT-106", ExitRefused, "answer needed",
			"add -y if this is meant, or -n to see what would be done",
			`The command changes something that people rely on, and there is no terminal on
which to ask. Nothing was done.`},
		{"COT-107", ExitRefused, "hand-overs are paused",
			"coterie unpause",
			`Somebody has frozen the cluster, so no lease or role moves until it is thawed.
What runs goes on running. coterie status says who did it and why.`},
		{"COT-108", ExitRefused, "lease cannot move there",
			"coterie leases LEASE shows who would take it",
			`The node that was named does not live, or does not take leases of this kind: its
configuration does not define the action, or it is being drained. Or nobody
holds the lease at the moment, and a node that can will take it by itself.`},
		{"COT-120", ExitRefused, "the last ready node",
			"first coterie resume another node, or say --allow-empty",
			`The node is the only one that is ready. Without it nobody would run the jobs and
load balancers would find no server, so the command refused to take it out.`},
	}
}
