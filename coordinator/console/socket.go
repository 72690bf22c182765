package console

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// Why there can be no socket at a path.
var (
	// ErrSocketTaken means that somebody answers on the socket, or may yet.
	ErrSocketTaken = errors.New("another process uses this socket")
	// ErrNotSocket means that something else is in the way; it is not touched.
	ErrNotSocket = errors.New("there is something else than a socket")
	// ErrSocketPath means that the operating system takes no path of this length.
	ErrSocketPath = errors.New("the path is too long for a socket")
)

// socketMode lets the socket's owner and group ask.
const socketMode = 0o660

func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	if len(path) > longestSocket {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrSocketPath, len(path), longestSocket)
	}
	if err := clearSocket(ctx, path); err != nil {
		return nil, err
	}
	// Nobody else may connect in the moment before the mode is set.
	l, err := (&net.ListenConfig{Control: narrow}).Listen(ctx, "unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: %w", ErrSocketTaken, err)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// clearSocket removes the socket of a process that is gone, and nothing else.
func clearSocket(ctx context.Context, path string) error {
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if there.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%w: %s", ErrNotSocket, there.Mode().Type())
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(ErrSocketTaken, conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		// Busy, or not ours to ask: both are reasons to leave it alone.
		return fmt.Errorf("%w: %w", ErrSocketTaken, err)
	}
	return os.Remove(path)
}
