package problem

// nodes are the problems of membership and identity.
func nodes() []Entry {
	return []Entry{
		{"COT-601", ExitUsage, "node name is in use",
			"give this node a name of its own (node.name)",
			`Another agent lives under this name, perhaps because a machine was cloned with
its configuration. Two machines under one name would each take the other's work
for its own, so this one did not start.`},
		{"COT-603", ExitRefused, "agent is already running",
			"systemctl status coterie",
			`An agent with this configuration is already running on this machine. The second
one did not start.`},
		{"COT-604", ExitUsage, "installation is a copy",
			"remove the state directory of the copy (node.state_dir) and start it again: it gets an identity of its own",
			`The identity in this node's state directory belongs to a node of another name.
That is what a copied installation or a cloned machine looks like. Each node has
an identity of its own, made when it first joins; two agents with one identity
would end each other's sessions. The cluster was not touched, and the ledger has
the refusal (coterie events).`},
		{"COT-605", ExitRefused, "node was evicted",
			"if it is to come back: coterie nodes approve, on a node of the cluster",
			`Somebody put this installation out of the cluster (coterie evict). It may join
again when somebody approves it, or as another installation under another name.`},
		{"COT-610", ExitNone, "no such node",
			"coterie nodes",
			`There is no node of this name. A name is the short host name unless node.name
says otherwise.`},
		{"COT-611", ExitDegraded, "node is silent",
			"look at the machine, and at systemctl status coterie on it",
			`The session of the node has ended and it has not begun a new one. Its leases
have gone to others. A node that was stopped on purpose gives them back at once
and is not silent but down.`},
		{"COT-612", ExitDegraded, "node is late",
			"look at the machine, and at its way to the database",
			`The session of the node has expired and nobody has ended it yet. The node may
still come back to it; if it does not, others will take its leases within
moments.`},
		{"COT-613", ExitDegraded, "nodes differ in version",
			"finish the upgrade",
			`The nodes do not all run the same version of coterie, or of the application.
That is as it should be during a rolling upgrade, and at no other time.`},
		{"COT-614", ExitDegraded, "nodes share a host",
			"move one of them to another machine",
			`Several nodes run on one host: when it fails, they all do. Good for a trial.`},
		{"COT-615", ExitDegraded, "node's address leads nowhere",
			"set node.address to a name or an address that other hosts reach",
			`The node tells an address that means "this host" on every host, such as
127.0.0.1, while other nodes run on other hosts. Without node.address a node
tells the address of its route to the database, or none where that is of this
host alone.`},
		{"COT-616", ExitTimedOut, "node is not there yet",
			"coterie nodes NODE; it goes on by itself",
			`The node has not reached the goal that was set for it within the time that the
command was willing to wait. A drain waits for the runs that the node is in.`},
		{"COT-617", ExitRefused, "goal was changed meanwhile",
			"coterie nodes NODE says who did it and why",
			`While the command waited for the node, somebody set another goal for it. The
last word counts.`},
	}
}
