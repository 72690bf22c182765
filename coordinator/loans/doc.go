// Package loans lets the application beside an agent hold leases without a
// session, a database login or a clock of its own: over the agent's Unix socket.
//
//	application                     agent
//	PUT  /v1/leases/NAME   ------>  wants NAME; its session takes it   (acquire)
//	     token, expires_in <------  granted
//	PUT  ?token=T          ------>  the loan goes on                   (keep)
//	GET  ?token=T          ------>  is it still that of the holder?    (check)
//	DELETE ?token=T        ------>  given back                         (release)
//
// A loan is a lease that the agent's session holds for a local process. It lasts
// while both last: the session's trust, and the loan's own time to live, which the
// process must extend. Whoever asks is known by the user id of its end of the
// socket: another user (but root) can neither keep nor release a loan, nor learn
// its token.
//
// When the session is lost, so are all loans: keep and check answer 409, and the
// process must stop. As with every lease, the token is what protects the effect:
// assert it where the effect happens.
package loans
