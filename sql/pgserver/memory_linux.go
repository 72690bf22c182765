package pgserver

import "syscall"

// memory is a directory whose files are in memory, with room for the databases
// of a test run, or "".
func memory() string {
	const dir, tmpfs, room = "/dev/shm", 0x01021994, 2 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Type != tmpfs || fs.Bavail*uint64(fs.Bsize) < room {
		return ""
	}
	return dir
}
