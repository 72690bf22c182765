// Package pgserver runs a private PostgreSQL server: for tests, and for a
// demonstration on a machine that has the binaries but no cluster.
//
// Start makes a data directory, starts postgres as a child and waits until it
// takes connections on 127.0.0.1 and on a Unix socket in its own directory;
// everybody who reaches it is trusted. PostgreSQL refuses to run as root, so a
// root caller's server runs as postgres or nobody, or, where neither exists,
// inside a user namespace.
//
// What befalls a database can be made to happen: Halt and Resume end it in any
// manner and start it again, Freeze stops it where it stands, Standby makes a
// second server that follows it and that Promote turns into a primary, and Pool
// puts a PgBouncer before it.
//
// A server never outlives its process: on Linux the kernel stops it when the
// parent dies, and a waiting shell (the reaper) stops it elsewhere and takes
// its directory away. So a test that panics leaves nothing behind.
package pgserver
