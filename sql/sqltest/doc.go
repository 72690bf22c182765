// Package sqltest gives each test a database of its own on a real PostgreSQL.
//
//	db := sqltest.New(t)          // a migrated database, as its superuser
//	a := db.Agent()               // a pool that is logged in with coterie_agent only
//	a.Cut()                       // its network is gone ...
//	a.Mend()                      // ... and back
//
// One server runs per test process, started by the first New and gone with the
// process, however that ends. Each test's database is a copy of a migrated
// template and is dropped when the test is over. Only fsync is off; commits and
// locks are what they are in earnest.
//
// # The test's clock
//
// In a testing/synctest bubble the database keeps the bubble's time:
//
//	db := sqltest.New(t)                          // outside: the server is real
//	synctest.Test(t, func(t *testing.T) {
//		db := db.Bubble(t)                        // inside: the pools belong to the bubble
//		time.Sleep(time.Hour)                     // takes no time
//		db.Get(&now, "SELECT coterie.clock()")    // an hour later
//	})
//
// coterie.clock() of a test database reads the setting coterie.test_now, and
// every pool opened in a bubble sets it before each statement. A statement in
// flight holds the bubble's time still, since waiting for the network does not
// count as idle; so a statement takes no time, unless Slow or Stall make it.
// DB.Step moves the database's clock away from the nodes'.
//
// # Breaking things as life does
//
// Each Pool is one node's line to the database:
//
//	Cut         connections are reset, new ones refused, until Mend
//	Stall       packets vanish in both directions; calls wait for their deadline, in the bubble's time
//	Slow        requests and answers take that long
//	LoseAnswer  the next statement is executed, but its answer never arrives
package sqltest
