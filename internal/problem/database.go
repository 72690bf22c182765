package problem

// database are the problems of the database and of settings.
func database() []Entry {
	return []Entry{
		{"COT-201", ExitUnreachable, "database unreachable",
			"coterie doctor",
			`No connection to PostgreSQL could be made, or it broke. Nodes go on with what
they hold until their sessions end, and then stop their jobs: a node that cannot
reach the database cannot know that it is still the only one. User sessions of
the application are not touched. Jobs begin again when the database is back.`},
		{"COT-202", ExitUsage, "database refuses the login",
			"check database.dsn and database.password_file, and pg_hba.conf on the server",
			`The server answered and did not let this role in: the password is wrong, the
role does not exist or may not log in, or pg_hba.conf has no line for it.`},
		{"COT-203", ExitRefused, "database role may not do this",
			"GRANT coterie_agent, coterie_operator or coterie_reader to the role",
			`Agents log in with a role that is a member of coterie_agent, people who change
things with a member of coterie_operator, people who look with a member of
coterie_reader. Only functions change anything; nobody but the owner may write
the tables.`},
		{"COT-204", ExitDegraded, "clock differs from the database",
			"systemctl enable --now chrony",
			`The wall clock of a node is further from the database's clock than is usual.
Leases and jobs do not mind: only the database's clock decides between nodes,
and inside a process only durations count. But the times in logs mislead whoever
compares them.`},
		{"COT-205", ExitUsage, "schema is missing or too old",
			"coterie schema upgrade",
			`The database has no schema coterie, or one from before what this program needs.
An agent changes the schema by itself only where database.auto_migrate is true.
The upgrade is one transaction: if anything in it fails, nothing has changed.`},
		{"COT-206", ExitUsage, "schema is newer than this program",
			"install the version of coterie that the other nodes have",
			`The schema was upgraded by a newer version. This program does not know what has
changed and does not touch it.`},
		{"COT-207", ExitFailed, "schema upgrade failed",
			"mend the cause and run coterie schema upgrade again",
			`A statement of the upgrade failed. All of it is one transaction, so the schema
is what it was before, and the agents go on with it.`},
		{"COT-208", ExitUnreachable, "database is read-only",
			"name all servers in database.dsn and add target_session_attrs=read-write",
			`The server that answered is a standby, or was made read-only. No session can be
renewed there. With several hosts in the connection string and
target_session_attrs=read-write the connection finds the primary by itself.`},
		{"COT-209", ExitUsage, "database belongs to another cluster",
			"correct cluster or database.dsn in the configuration",
			`The name in the configuration is not the name in the database. Nothing was
changed. Two clusters need two databases.`},
		{"COT-210", ExitUsage, "configuration has errors",
			"coterie config explain lists all keys",
			`The configuration was not read because something in it cannot be what was meant.
All of it is told at once, with line and column or the name of the variable. A
key that is not known is an error, because a key without effect would mislead.`},
		{"COT-211", ExitUsage, "no configuration found",
			"coterie -c FILE; coterie config explain lists what it may say",
			`The configuration is the file of -c, or of $COTERIE_CONFIG, or else
/etc/coterie/coterie.yaml or coterie/coterie.yaml in $XDG_CONFIG_HOME. The error
names all places that were looked at. Without a file, COTERIE_CLUSTER and
COTERIE_APPDATA_PATH in the environment are enough.`},
		{"COT-212", ExitUsage, "wrong usage",
			"coterie help",
			`The command line could not be understood: no such command or flag, or an
argument too many or too few. Nothing was done.`},
		{"COT-213", ExitFailed, "agent does not answer",
			"systemctl status coterie",
			`Nothing answers at the agent's socket. The agent is not running on this machine,
runs with another configuration, or the caller may not open the socket.`},
		{"COT-214", ExitUsage, "file cannot be read",
			"check the path and the rights of the file",
			`A file that was named on the command line is missing, may not be read, or does
not hold what was expected of it. Nothing was done.`},
		{"COT-215", ExitDegraded, "heartbeats are slow",
			"look at the load of the database and the way to it",
			`A heartbeat is one small statement, and it takes a node longer than it should.
Nothing is wrong yet; but when heartbeats take as long as a session may go
without one, nodes lose their sessions.`},
		{"COT-216", ExitUsage, "setting is not possible",
			"coterie settings show",
			`The value is of another form than the setting, or the settings would not fit
each other. A session must outlive two heartbeats and the margin, or a node that
misses one heartbeat could not stop its work in time. Nothing was changed.`},
		{"COT-217", ExitUsage, "no such database",
			"createdb, or correct dbname in database.dsn",
			`The server answered, and has no database of this name.`},
		{"COT-218", ExitUsage, "connection is not verified",
			"add sslmode=verify-full sslrootcert=FILE to database.dsn",
			`The connection crosses a network, and it cannot be proved that the server is the
right one: it offers no TLS, its certificate is not signed by a known authority
or is for another name, or the configuration asks for less than that.`},
		{"COT-219", ExitRefused, "migration was changed",
			"use the released program of the version that made the schema",
			`A migration that the database has had applied differs from this program's, or is
unknown to it though its number is not higher. One of the two is not a release.
Nothing was changed.`},
		{"COT-220", ExitRefused, "no cluster in the database",
			"coterie init",
			`The database has the schema, but nobody has said yet which cluster lives in it.`},
		{"COT-221", ExitNone, "no such key",
			"coterie config explain, or coterie settings show",
			`There is no key of this name in the configuration of a node, or among the
settings of the cluster.`},
		{"COT-222", ExitNone, "no such code",
			"coterie doctor --explain all",
			`No problem has this code.`},
		{"COT-223", ExitFailed, "stopped by a signal",
			"say the same again: every command can be repeated",
			`The command was told to stop before it was done. What it had asked the cluster
to do goes on.`},
		{"COT-224", ExitUsage, "address or socket is taken",
			"choose another in http.listen or http.socket, or stop what uses it",
			`The agent answers on an address and a socket of its own, and cannot have one of
them. Most often another agent runs on this machine with the same settings.`},
		{"COT-225", ExitFailed, "change is on one server only",
			"bring the synchronous standby back, look whether the change is there, and say it again if not",
			`The database committed the change, but its synchronous standby may lack it: the
wait for the standby was cancelled. Everybody sees the change; a failover now
could undo it. So it does not count as done, and nodes do not act upon such a
commit either.`},
		{"COT-226", ExitUsage, "pooler permits no transactions",
			"set pool_mode = session in pgbouncer.ini, or name PostgreSQL itself in database.dsn",
			`The connection goes through a pooler that gives the server's connection to
others after each statement (pool_mode = statement). The schema cannot be set up
there, and an application could not assert a lease in a transaction.`},
		{"COT-227", ExitDegraded, "pooler shares connections",
			"set pool_mode = session in pgbouncer.ini, or name PostgreSQL itself in database.dsn",
			`The connection goes through a pooler that gives the server's connection to
others after each transaction (pool_mode = transaction). All works, except that
notifications are not heard: what others do is seen at the next heartbeat and
not within milliseconds.`},
		{"COT-228", ExitFailed, "somebody keeps a row locked",
			"end the transaction that asserted the lease (coterie.leases, pg_stat_activity: idle in transaction), and say it again",
			`What is to be changed is locked by a transaction that does not end. Most often
an application called assert_lease and sits in its transaction. Nothing was
changed.`},
		{"COT-229", ExitRefused, "change is not there to be decided",
			"coterie settings changes",
			`Nobody proposed a change of this number, somebody else has decided about it
meanwhile, or so many wait that no further one is taken. Nothing was changed.`},
		{"COT-299", ExitFailed, "unexpected error",
			"look at what it says; if that does not help, report it with the version of coterie",
			`Something failed in a way that nobody has given a code.`},
	}
}
