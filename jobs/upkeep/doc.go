// Package upkeep is what built-in jobs do in processes of their own, which may hang
// on the share or on a network and be killed: look at certificates, and keep backups.
//
//   - A Sight is a certificate as it was seen at a place, a file or an address where
//     it is served; or what was in the way of seeing one.
//   - A Backup is a file on the share that pg_restore reads, beside a note that says
//     what it is and has its digest. It has its name only when both are whole, read
//     back, and written through.
//
// Nothing here knows our schema or holds a connection: what is found leaves as values, and
// what must not happen under a lost lease is asked first (Backups.Fence).
package upkeep
