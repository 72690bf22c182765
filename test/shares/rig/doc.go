// Package rig runs real agents on real network file systems, two hosts each.
//
// What a network file system shows of another host's work is decided by its
// client in the kernel: how long it remembers a name that was not there, when it
// asks again, what it does when nobody answers. Nothing that runs on one kernel
// shows that. So here are several kernels, on one machine:
//
//	this machine: PostgreSQL, Samba, the test
//	    |  10.0.2.2, the emulator's network of its user
//	    +-- guest a: kernel, tool, coterie agent -- mount --+
//	    +-- guest b: kernel, tool, coterie agent -- mount --+-- NFS: guest s, kernel's server
//	                                                        +-- SMB: Samba above
//
// A guest is QEMU without acceleration, Debian's kernel for clouds, and a file
// system in memory that is packed here: the tool (package main below tool) is its
// first process, loads modules, and runs what the test asks for; the program is
// the agent's own, static. No image is downloaded, no disk is installed. A guest
// boots in 5 to 7 s on a processor of its own.
//
// File systems of user space (sshfs, GlusterFS) need no guests: two mounts of one
// export stand for two hosts, since each is a client with a memory of its own. They
// do share the kernel's page cache code, and its clock.
//
// # Nouns
//
//	Rig      what guests are made of: kernel, archive, tool
//	Guest    an emulator's process: Boot, Inside, Freeze, Thaw
//	Side     a host of an export: where commands run, where the share is mounted
//	Export   a folder on a server with two sides, and how to mount wrongly, or cut it off
//
// # What the suite proves on each
//
//   - That both sides have one export is proved both ways; another cluster's, a copy
//     of the share, an empty export and an empty mount point are named.
//   - What one side does, the other acts upon when its own mount shows it. What
//     somebody did at the server, past both, the next scan finds, whatever clients
//     remember; in a critical folder both see it without a scan.
//   - A file that is written slowly is not taken for whole; many deletions wait for a word.
//   - A server that answers nobody any more is in SQL, while heartbeats go on; it heals.
//   - Locks, hard links, rename over an open file, and whether a replaced file is ever
//     absent or torn to who reads it: as the file system is known to be.
//   - A server whose clock is hours off, either way, is believed as any other, and told of.
//   - smbnetfs, which cannot serve (TestSMBNetFSIsRefused): that is said before it breaks
//     and after, and nothing is believed of what broke.
//   - Mounts with wrong options are named by coterie appdata check (wrongNFS, wrongSMB).
//
// # What it cannot
//
//   - Emulated processors are ten to thirty times slower than real ones, more beside
//     others: latencies here are upper bounds, shown beside the rig's own floor.
//   - One version of each client and server; no Windows server, no NetApp, no DFS.
//   - The guests' network is a library in the emulator's process: it loses no packets.
//   - No NFSv3: its locks and its mounting want daemons. What it looks like is judged by
//     recorded lines (package appdata, TestWrongMountsAreNamed).
//
// Nothing is left behind: guests and servers listen on loopback, end with the test by
// their process ids, and by the parent-death signal when the test is killed.
package rig
