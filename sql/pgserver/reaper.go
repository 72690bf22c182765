package pgserver

import (
	"fmt"
	"io"
	"os/exec"
)

// reaperScript waits until its standard input ends, which happens when the
// process that started it is gone, however it went. A line means that all has
// been put in order already. A postmaster that ended has removed its pid file;
// its process may stay for a while, when nobody reaps orphans.
const reaperScript = `
trap '' INT HUP QUIT TERM
read -r line && exit 0
if [ -r "$1/data/postmaster.pid" ]; then
	read -r pid < "$1/data/postmaster.pid"
	kill -QUIT "$pid" 2>/dev/null
	tries=250
	while [ "$tries" -gt 0 ] && [ -e "$1/data/postmaster.pid" ]; do
		sleep 0.02
		tries=$((tries - 1))
	done
fi
[ "$2" = remove ] && rm -rf -- "$1"
exit 0
`

// reaper is the process that cleans up after us when we cannot.
type reaper struct {
	cmd   *exec.Cmd
	leash io.WriteCloser
}

// startReaper returns nil where there is no shell to be had (Windows).
func startReaper(dir string, remove bool) (*reaper, error) {
	const shell = "/bin/sh"
	if _, err := exec.LookPath(shell); err != nil {
		return nil, nil
	}
	what := "keep"
	if remove {
		what = "remove"
	}
	cmd := exec.Command(shell, "-c", reaperScript, "reaper", dir, what)
	cmd.Dir = "/"
	cmd.SysProcAttr = ownGroup()
	leash, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the reaper: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the reaper: %w", err)
	}
	return &reaper{cmd: cmd, leash: leash}, nil
}

// dismiss tells the reaper that nothing is left to do.
func (r *reaper) dismiss() error {
	if _, err := io.WriteString(r.leash, "done\n"); err != nil {
		return fmt.Errorf("dismiss the reaper: %w", err)
	}
	return r.cmd.Wait()
}
