//go:build !linux

package atomicfile

import "os"

// keepLabel does nothing: labels are SELinux's.
func keepLabel(*os.File, string) error { return nil }
