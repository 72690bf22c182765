// Package through is a file system by FUSE that passes each call through to a folder,
// numbers the calls, and has one of them, or all from one on, go wrong: an error, a
// caller that is killed, an answer that never comes.
//
//	program --> kernel --> /dev/fuse --> Server: call n --> the folder behind
//	                                        |
//	                                        Fault: does this one go wrong?
//
// The kernel remembers names and nothing else, so that whatever a program asks of the
// file system is a call here, and the way to a file is walked once.
// Calls are done one after another, each whole or not at all.
package through
