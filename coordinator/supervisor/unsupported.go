//go:build !linux && !darwin

package supervisor

import (
	"context"
	"syscall"
	"time"
)

// Here nothing of the package works, and everything says so: an agent runs no
// jobs on such a host until its process trees can be kept as surely as elsewhere.

// Stage does nothing here.
func Stage() {}

var begun = time.Now()

// BootTime is only good for differences here.
func BootTime() time.Duration { return time.Since(begun) }

// Run gives ErrUnsupported.
func Run(context.Context, Options) (exit int, err error) { return 1, ErrUnsupported }

// A Client cannot be had here.
type Client struct{}

// FromEnv gives ErrNotSupervised.
func FromEnv() (*Client, error) { return nil, ErrNotSupervised }

// Dial gives ErrUnsupported.
func Dial(int) (*Client, error) { return nil, ErrUnsupported }

func (*Client) HasCgroups() bool                                 { return false }
func (*Client) Run(context.Context) error                        { return ErrUnsupported }
func (*Client) Extend(until, grace time.Duration)                {}
func (*Client) Session(context.Context, Session) error           { return ErrUnsupported }
func (*Client) Farewell(context.Context) error                   { return ErrUnsupported }
func (*Client) Start(context.Context, Command) (*Process, error) { return nil, ErrUnsupported }
func (*Process) Wait(context.Context) (Exit, error)              { return Exit{Code: -1}, ErrUnsupported }
func (*Process) Signal(syscall.Signal) error                     { return ErrUnsupported }

// A Process cannot be had here.
type Process struct {
	ID  string
	PID int
}
