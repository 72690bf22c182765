//go:build !linux

package worker

import "syscall"

func dieWithUs() *syscall.SysProcAttr { return nil }
