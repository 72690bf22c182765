//go:build !unix

package keystore

import "os"

func openWithoutWaiting(path string) (*os.File, error) { return os.Open(path) }
