package worker

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// Apart is a command that works on a share in a process of its own, so that whoever
// waits for it can leave it behind when the share does not answer any more.
type Apart struct {
	Argv  []string
	Env   []string
	Out   io.Writer // what is no file is reached by a pipe, which a command that is left behind does not keep open
	Err   io.Writer
	Share string
	Still time.Duration // how long it may show nothing before somebody looks at the share
	Pool  *Pool         // whose workers look; its deadline is how long the share has to answer
	Pass  <-chan os.Signal
}

// Run runs the command with this process's input. It shows that it lives by writing
// to its descriptor 3. A HungError says that the share does not answer, and that the
// command was left behind, killed; otherwise it gives how the command ended.
func (a Apart) Run(ctx context.Context) (*os.ProcessState, error) {
	alive, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer alive.Close()
	cmd := exec.Command(a.Argv[0], a.Argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, a.Out, a.Err
	cmd.Env, cmd.ExtraFiles, cmd.SysProcAttr = a.Env, []*os.File{theirs}, dieWithUs()
	// The command is killed when the thread ends that began it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Start()
	if err = errors.Join(err, theirs.Close()); err != nil {
		return nil, err
	}
	ended, moved := make(chan error, 1), make(chan struct{}, 1)
	go func() { ended <- cmd.Wait() }() // waited for, unless the command is left behind
	go func() {                         // a pump: ends with the command
		for buf := make([]byte, 64); ; {
			if _, err := alive.Read(buf); err != nil {
				return
			}
			select {
			case moved <- struct{}{}:
			default:
			}
		}
	}()
	still := time.NewTimer(a.Still)
	defer still.Stop()
	for {
		select {
		case err := <-ended:
			if _, ok := errors.AsType[*exec.ExitError](err); ok {
				err = nil // what its state says
			}
			return cmd.ProcessState, err
		case s := <-a.Pass:
			_ = cmd.Process.Signal(s) // it may have ended by itself
		case <-moved:
			still.Reset(a.Still)
		case <-still.C:
			_, hung, err := a.Pool.Touch(context.WithoutCancel(ctx), appdata.Share{Path: a.Share})
			if err == nil && hung != nil {
				_ = cmd.Process.Kill() // it may have ended by itself
				return nil, &HungError{Within: a.Still + a.Pool.deadline(), Abandoned: 1}
			}
			still.Reset(a.Still)
		}
	}
}
