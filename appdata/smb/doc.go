// Package smb asks the server of an SMB share to tell of changes in it (MS-SMB2 2.2.35,
// CHANGE_NOTIFY), which Linux passes on by one ioctl of its client, and by nothing else: no
// inotify, so no library that watches.
//
//	Await -> ioctl, waits in the kernel -> FILE_NOTIFY_INFORMATION -> Notice
//
// What is told comes from the network: it is read within its bounds, names that lead out of
// the folder are refused, and what cannot be read is not whole, as is what the server could
// not keep. Whoever waits holds the folder open at the server, so only the root of a share,
// which nobody renames or removes, should be waited at.
//
// The package works with a bare pointer, for the ioctl.
package smb
