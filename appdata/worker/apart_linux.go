package worker

import "syscall"

// dieWithUs has a process killed when this one is.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
