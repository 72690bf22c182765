// Package schema holds the SQL that coterie puts into the database, and the
// only door to that database.
//
// # The door
//
// Every connection goes through Open (or Pool, or Connector) and so through
// our dialer, because lib/pq waits for ever, whatever its context says, when
// packets vanish or a backend is stopped. A connection of ours arms a deadline
// for reading and writing at each write:
//
//	statement written ----- Budget -----> answer read, or a timeout
//
// So no statement takes longer than the budget, and a connection that missed it
// is not used again. A statement that needs more is opened for with more.
//
// Of several hosts the first that accepts writes is taken. The next one is tried
// beside a host that keeps silent, so that neither a dead primary nor a standby
// stands in the way. A connection on which the server hung up is not handed out
// again. A commit that is not on the synchronous standby, because somebody
// cancelled the wait for it, is an error (ErrLocal): nobody may build on it.
//
// TLS is verified fully unless the connection string says otherwise, and it may
// say otherwise only for a Unix socket, a loopback address, or with
// Options.Insecure. Errors of connecting are ConnectErrors, told apart with
// errors.Is; no error carries the connection string or its password.
//
// # The SQL
//
//	bootstrap.sql            the record of migrations
//	migrations/0001_*.sql    forward only, each applied once, never edited afterwards
//	functions/*.sql          whole files, applied again at each upgrade
//	views/*.sql              likewise; a view only gains columns, at its end
//	grants.sql               roles and what they may
//
// Migrate applies all of it in one transaction behind one lock: an upgrade
// that fails changes nothing, and of many at once one does the work. Functions
// come first, then views, by name; a file that needs a later one says so in its
// first line: "-- after views/nodes.sql".
//
// A migration may begin with "-- needs N": programs built for schema N go on
// working after it. Without that line it shuts older programs out. Check is
// the question that an agent asks before it works.
//
// Roles: coterie_owner owns everything, coterie_agent works, coterie_operator
// commands, coterie_reader reads views; none can log in. Migrate creates those
// that are missing if it may, and says what a database administrator has to run
// if it may not.
package schema
