package main

import "syscall"

// dieWithUs ends a server when this program is gone, however it went.
func dieWithUs(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
