package console

import (
	"context"
	"net"
)

// peerKey is where a connection's context keeps who its other end is.
type peerKey struct{}

// Peer is the user at the other end of the socket that a request came by. It is
// not known for requests by TCP, and on systems that do not tell.
func Peer(ctx context.Context) (user int, ok bool) {
	user, ok = ctx.Value(peerKey{}).(int)
	return user, ok
}

// withPeer notes who is at the other end of a new connection.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if b, ok := c.(*boundedConn); ok {
		c = b.Conn
	}
	if unix, ok := c.(*net.UnixConn); ok {
		if user, ok := peerOf(unix); ok {
			return context.WithValue(ctx, peerKey{}, user)
		}
	}
	return ctx
}
