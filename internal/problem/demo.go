package problem

// demo are the problems of the demonstration.
func demo() []Entry {
	return []Entry{
		{"COT-701", ExitFailed, "demo did not come up",
			"look at the logs that are named",
			`The demonstration could not start its PostgreSQL or its agents. What they said
is in their logs, which were kept; everything else of the demo is gone.`},
		{"COT-702", ExitFailed, "demo found what must not be",
			"please report it, with the logs that are named",
			`The demonstration compares the schedules, the table of runs, and a file to which
each run wrote what it did. They do not agree, or too little happened to show
anything, for instance because the time was too short for a take-over.`},
		{"COT-703", ExitFailed, "no PostgreSQL server programs",
			"install PostgreSQL's server (Debian: postgresql), or set COTERIE_PG_BIN to the folder of initdb and postgres",
			`The demonstration starts a private PostgreSQL and needs the programs of the
server for it. It does not touch a server that is running on this machine.`},
		{"COT-704", ExitRefused, "folder cannot be a demo's",
			"name another folder, or none",
			`The demonstration makes a folder, fills it, and removes it in the end. So it
takes none in which something is.`},
		{"COT-705", ExitRefused, "demo cannot do that now",
			"look at the demo's own terminal",
			`The running demonstration has refused, for instance because the node is down at
the moment. It is started again by itself a few seconds after it was killed.`},
		{"COT-706", ExitFailed, "no demo on this system",
			"try it on Linux",
			`The demonstration keeps its processes together by means that only Linux has, so
that it leaves nothing behind however it ends.`},
		{"COT-710", ExitNone, "no such demo",
			"start one in another terminal: coterie demo",
			`No demonstration of this user is running, or none in the folder that was named.`},
		{"COT-711", ExitUsage, "several demos are running",
			"name the folder of one with --dir",
			`It is not clear which of the running demonstrations is meant.`},
	}
}
