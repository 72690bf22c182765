//go:build !linux

package pgserver

import (
	"errors"
	"fmt"
)

// Freeze stops every process of the server where it stands; on Linux only.
func (s *Server) Freeze() error { return fmt.Errorf("freeze postgres: %w", errors.ErrUnsupported) }

// Thaw ends Freeze.
func (s *Server) Thaw() error { return fmt.Errorf("thaw postgres: %w", errors.ErrUnsupported) }
