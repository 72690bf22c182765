package problem

// licenses are the problems of counting seats.
func licenses() []Entry {
	return []Entry{
		{"COT-801", ExitNone, "no such pool",
			"coterie license show",
			`There is no pool of licence seats of this name. Names of pools are told apart
by case. Pools are made by coterie license apply.`},
		{"COT-802", ExitRefused, "no seat",
			"coterie license seats POOL shows who holds them",
			`The pool has no seat for this holder: all are taken, the rest is reserved for
others, or a rule of the pool keeps the holder out. The refusal is recorded in
coterie.license_denials with its reason.`},
		{"COT-803", ExitRefused, "licence file not taken",
			"ask who issued it for a file that is signed for this cluster; license.trusted_keys names the keys that count",
			`The file is not a licence file, its signature is not that of a key that this
node's configuration trusts, it is for another cluster, or another file of the
same serial is applied. Nothing was changed.`},
		{"COT-804", ExitUsage, "definition of pools has errors",
			"correct the file; coterie license apply -n shows what it would change",
			`The file of pools could not be understood. Nothing was changed: a file is
applied as a whole or not at all.`},
		{"COT-805", ExitRefused, "pool cannot change so",
			"coterie license show; wait until its seats are given back",
			`What shares a seat cannot change while seats are held, a pool with held seats
cannot be removed, and no more seats can be reserved or names given than there
are. Nothing was changed.`},
		{"COT-806", ExitRefused, "another user's seat",
			"ask as the user who checked it out, or as root",
			`The seat was checked out through this agent's socket by another user of this
machine, and nobody else renews it or gives it back. Nothing was changed.`},
		{"COT-807", ExitUnreachable, "database away",
			"coterie status; escrow and away of the pool say what is granted meanwhile",
			`The database does not answer, or not in time, the seats that this node keeps
in advance are used up, and the pool gives no grace. Whoever has a seat keeps
it.`},
		{"COT-811", ExitDegraded, "few seats are left",
			"coterie license show; buy more, or look who needs theirs",
			`More seats of the pool are held than the percentage at which it warns
(warn_at).`},
		{"COT-812", ExitDegraded, "more users than seats",
			"coterie license seats POOL; it ends when seats are given back",
			`Users were at work when no seat was left for them: their node's session was
lost and their seats were given to others, or the database was away. They are
not cut off; they are counted apart, and get a seat as soon as one is free.`},
		{"COT-813", ExitDegraded, "node has no server licence",
			"coterie license show; load an entitlement, or take a node out",
			`The pool has fewer seats than there are nodes, or its entitlement is bound to
other addresses.`},
		{"COT-814", ExitDegraded, "licence servers do not answer",
			"coterie license servers; look at them and the way to them",
			`Of three external licence servers two must answer, of another number one. Until
then the application may not get licences from them.`},
		{"COT-815", ExitDegraded, "entitlement ends soon",
			"load the next licence file before then",
			`An entitlement of the pool ends within thirty days. Holders keep their seats,
and nobody gets another.`},
		{"COT-816", ExitDegraded, "seats were refused",
			"coterie license denials",
			`Within the last hour holders were refused a seat.`},
		{"COT-817", ExitDegraded, "fewer are there than should be",
			"coterie nodes",
			`A pool says by "least" how many of its seats are held when all is well: the
nodes of a service that is safe with three, for instance. Fewer are held now.`},
	}
}
