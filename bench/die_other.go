//go:build !linux

package main

import "syscall"

// dieWithUs can do nothing here: a server outlives a benchmark that is killed.
func dieWithUs(*syscall.SysProcAttr) {}
