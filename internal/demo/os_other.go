//go:build !linux

package demo

import (
	"os"
	"os/exec"
	"syscall"
)

const supported = false

const sigStop, sigCont = syscall.SIGKILL, syscall.SIGKILL // never sent

const markEnv = "DEMO_OF_COTERIE"

type process struct {
	pid    int
	parent int
	node   string
	argv   []string
	rank   int
}

type child struct {
	pid   int
	ended chan struct{}
	err   error
}

func marked(string) ([]process, error)     { return nil, ErrUnsupported }
func signalTo(int, syscall.Signal) error   { return ErrUnsupported }
func ownGroup(*exec.Cmd)                   {}
func ownSession(*exec.Cmd)                 {}
func startChild(*exec.Cmd) (*child, error) { return nil, ErrUnsupported }
func lockFile(*os.File) (bool, error)      { return false, ErrUnsupported }
func mine(os.FileInfo) bool                { return false }
func deafen() []os.Signal                  { return []os.Signal{os.Interrupt} }
