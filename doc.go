// Package coterie turns N separately installed application servers into one
// cluster, without changing the application.
//
// A small agent runs beside each server. All agents share two things that the
// servers share anyway: one PostgreSQL database and one network-mounted
// application-data directory. Everything that the cluster knows is a row that
// anybody can read with psql.
//
//	         node app-a                         node app-b
//	+--------------------------+       +--------------------------+
//	| supervisor               |       | supervisor               |
//	|  |- agent                |       |  |- agent                |
//	|  |   leases     (kernel) |       |  |   leases              |
//	|  |   coordinator (node)  |       |  |   coordinator         |
//	|  |   jobs      (slots)   |       |  |   jobs                |
//	|  |   console   (HTTP)    |       |  |   console             |
//	|  |- job process trees    |       |  |- job process trees    |
//	+------+-----------+-------+       +------+-----------+-------+
//	       |           |                      |           |
//	       |      +----+----------------------+----+      |
//	       |      |  appdata: the shared folder    |      |
//	       |      +--------------------------------+      |
//	+------+----------------------------------------------+------+
//	|  PostgreSQL, schema coterie: session, lease, run, event    |
//	+------------------------------------------------------------+
//
// # Three laws
//
// Only the session expires. One life of one node is a session row; leases and
// runs hang off it and have no expiry of their own, so a node costs one
// statement per heartbeat, whatever it holds.
//
// Only the database's clock decides between nodes, through the SQL function
// coterie.clock(). Inside a process only durations are used.
//
// Every loop is a blocking Run(ctx) owned by its caller. Authority flows down
// as contexts, facts flow up as rows.
//
// # The path of one tick
//
//	ticker or wake -> leases: coterie.tick (renew me, end the dead, move leases, list; one round trip)
//	   -> Step decides -> a Holder(ctx, Grant) starts or ends -> jobs.Runner: next slot
//	   -> begin (fenced, unique) -> action -> end (fenced) -> views -> psql, coterie status, the page, /metrics
//
// Packages, inside out: leases is the kernel and imports nothing of ours;
// coordinator and jobs stand on it; appdata knows no database; cmd/coterie
// wires them and is imported by nobody. arch_test.go keeps these rules.
package coterie
