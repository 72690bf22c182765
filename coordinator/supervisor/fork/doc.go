// Package fork starts a program by fork and exec without waiting for the exec.
//
// The step between the two touches what may hang: a working directory or a program
// on a share that is gone. os/exec and syscall.ForkExec wait for their child's
// exec, and let no other fork of the process begin meanwhile; whoever must never
// wait like that has to put another process between. That costs the start of a
// whole Go program for each one that is wanted.
//
//	parent            Start                                  | report: EOF, or what failed
//	  `- child        session, descriptors, user, directory, limits, exec
//
// Between fork and exec the child is a copy of this process with one thread, in
// which Go's runtime does not work: nothing is allocated, no stack grows, nothing is
// called but the kernel. All that it needs is prepared before. The runtime's own
// hooks around a fork keep signals away, and end the process if the rule is broken.
// Package syscall does the same; what it has in addition is the waiting.
//
// Only this package and appdata/smb work with bare pointers.
package fork
