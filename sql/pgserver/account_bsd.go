//go:build unix && !linux

package pgserver

import "syscall"

// intoNamespace does nothing: initdb will say that it cannot run as root.
func intoNamespace(*syscall.SysProcAttr) {}

// tie does nothing: the reaper alone stops an orphaned server.
func tie(*syscall.SysProcAttr) {}
