//go:build !unix

package schema

import "net"

// hungUp cannot look there without reading: the next statement finds out.
func hungUp(net.Conn) bool { return false }
