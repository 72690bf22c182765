// Package faulty is a file system by FUSE that shows a folder, and lies about it as
// network file systems do: errors, names that are not listed, folders that are empty,
// another folder in the place of the right one, attributes of yesterday, answers that
// take their time.
//
// It speaks the kernel's protocol itself, read-only, and remembers nothing: each
// question of the kernel reaches the lie that is told at the time. It is served by a
// process of its own, a test's program begun anew: a process that asks itself cannot be
// killed, since it waits for its own answer.
//
//	test -- Plan --> process == /dev/fuse == kernel <-- whoever looks at the mount point
package faulty
