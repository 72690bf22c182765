// Package worker keeps a hanging file system away from the process that must
// not hang.
//
// A call into a dead network share may never return, and nothing inside the
// calling process can end it: each stuck call holds a thread for good, and a
// process with one cannot even die. So the agent never touches the share. It
// starts itself once more with a hidden verb; this child is expendable and
// does the touching.
//
//	agent                                 worker (the same program)
//	Pool.Probe --- {"id":7,"probe":..} -> Serve -> Share.Probe -> the share
//	           <-- {"id":7,"condition":..} ---
//	    no answer in time: SIGKILL, and the share is HUNG
//	    killed, but not gone: abandoned, counted, never waited for
//
// Laws:
//
//   - One request at a time per worker, each with a deadline; a worker that
//     missed one is never used again, so no late answer can be taken for another's.
//   - A killed worker that sits in the kernel cannot be reaped until the share
//     answers. At most Limit such workers are left standing; as long as they
//     stand, requests are answered "hung" without starting more.
//   - A worker inherits no environment (which may hold secrets) and no file but
//     its pipes, so it keeps no socket of a dead agent open.
//   - A worker ends when its input ends: it does not survive its agent, unless
//     it is stuck, and then only until the share answers.
package worker
