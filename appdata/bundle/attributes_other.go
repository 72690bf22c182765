//go:build !linux

package bundle

import "os"

func (f plainFile) attributes() ([]string, error) { return nil, nil }

func (f folder) attributes() ([]string, error) { return nil, nil }

func keepAttributes(_, _ *os.File) error { return nil }
