package pgserver

import (
	"io/fs"
	"os"
	"syscall"
)

// account is who the server runs as: on Windows, the caller.
type account struct{ uid int }

func whoRuns() account                           { return account{uid: -1} }
func (account) other() bool                      { return false }
func (account) attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
func (account) mayPass(fs.FileInfo) bool         { return true }
func (account) own(string) error                 { return nil }
func tie(*syscall.SysProcAttr)                   {}
func ownGroup() *syscall.SysProcAttr             { return &syscall.SysProcAttr{} }
func modeSignal(Mode) os.Signal                  { return os.Kill }

// promoteSignal does not exist there: it is refused.
var promoteSignal os.Signal = os.Interrupt
