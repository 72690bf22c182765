package pgserver

import "syscall"

// inside is the user id that root has within the namespace; initdb and
// postgres only ask that it is not 0.
const inside = 1000

func intoNamespace(attr *syscall.SysProcAttr) {
	attr.Cloneflags = syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: inside, HostID: 0, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: inside, HostID: 0, Size: 1}}
}

// tie makes the kernel send SIGQUIT as soon as the thread that started the
// child ends: PostgreSQL then stops at once and frees its shared memory.
func tie(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
