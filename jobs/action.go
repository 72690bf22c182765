package jobs

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// Run is one run of a job, as its action sees it.
type Run struct {
	Job     string
	Due     time.Time
	Token   leases.Token
	Attempt int
	Node    string
	Output  io.Writer // its end is kept with the run
	Lease   string    // that Token is of; job/JOB if empty
	Params  Params
	Resume  Checkpoint     // where a run before this one stopped, if it said so
	Report  func(Progress) // takes what it says of itself; may be nil

	mercy Mercy // for its command
}

// ID names the run for whoever starts processes for it.
func (r Run) ID() string {
	return fmt.Sprintf("%s@%s#%d.%d", r.Job, r.due(), r.Token, r.Attempt)
}

func (r Run) due() string { return dueText(r.Due) }

func dueText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func (r Run) lease() string { return cmp.Or(r.Lease, leasePrefix+r.Job) }

// env is what a run tells its process about itself.
func (r Run) env() []string {
	env := []string{
		"COTERIE_JOB=" + r.Job,
		"COTERIE_DUE_AT=" + r.due(),
		"COTERIE_TOKEN=" + strconv.FormatInt(int64(r.Token), 10),
		"COTERIE_ATTEMPT=" + strconv.Itoa(r.Attempt),
		"COTERIE_NODE=" + r.Node,
	}
	if r.Lease != "" {
		env = append(env, "COTERIE_LEASE="+r.Lease)
	}
	if r.Resume.Text != "" {
		env = append(env, "COTERIE_CHECKPOINT="+r.Resume.Text, "COTERIE_CHECKPOINT_DUE_AT="+dueText(r.Resume.Due))
	}
	return env
}

// Action is what a run does. Do returns when all that it started has ended, and
// soon after its context has: by then nobody else may have begun. Nil means
// success. The exit is nil for actions without one.
type Action interface {
	Do(ctx context.Context, r Run) (*Exit, error)
}

// Exit is how a process ended.
type Exit struct {
	Code   int    // -1 when a signal ended it
	Signal string // name of that signal, else empty
}

// Func is an action within this process.
type Func func(ctx context.Context, r Run) error

// Do calls the function.
func (f Func) Do(ctx context.Context, r Run) (*Exit, error) { return nil, f(ctx, r) }

// Command is a program that is to be run as a process tree of its own.
type Command struct {
	ID     string
	Argv   []string // never a shell
	Dir    string
	User   string
	Env    []string // exactly this
	Output io.Writer

	Limits   Limits
	Mercy    Mercy
	Progress io.Writer // gets what the program writes to the descriptor named in COTERIE_PROGRESS_FD; may be nil
	SHA256   string    // that the program must have, in hexadecimal; any if empty
}

// Limits bound each process of a command. Zero leaves a limit as it is.
type Limits struct {
	OpenFiles   uint64
	Processes   uint64
	FileBytes   uint64
	MemoryBytes uint64
	CPU         time.Duration
}

// Mercy is how long a command that must end has between being asked and being
// killed: Grace, or as its node sees fit if that is 0, but when Lost is closed no
// longer than its node sees fit.
type Mercy struct {
	Grace    time.Duration
	Lost     <-chan struct{} // closed when the authority to run has ended
	Outlasts bool            // the end of its node's authority alone does not end it
}

// Spawn runs a command and returns when no process of its tree is left. When
// ctx ends it asks the tree to end, and kills it.
type Spawn func(ctx context.Context, c Command) (Exit, error)

// Exec is an action that runs a command. Which one comes from the node's own
// configuration, never from the database.
type Exec struct {
	Argv   []string // where {NAME} stands behind the program, the value of a parameter goes
	Dir    string
	User   string
	Env    []string // in addition to what each run gets
	Takes  []Param
	Limits Limits
	SHA256 string // of the program; any if empty
	Spawn  Spawn
	ID     string // of the command; the run's if empty
}

// path is where programs are found unless the configuration says otherwise.
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Do runs the command.
func (e Exec) Do(ctx context.Context, r Run) (*Exit, error) {
	values, err := fill(e.Takes, r.Params)
	if err != nil {
		return nil, err
	}
	c := Command{
		ID: cmp.Or(e.ID, r.ID()), Argv: slices.Clone(e.Argv), Dir: e.Dir, User: e.User, Output: r.Output,
		Env:    merge([]string{path, "LANG=C.UTF-8"}, e.Env, values.env(), r.env()),
		Limits: e.Limits, SHA256: e.SHA256, Mercy: r.mercy,
	}
	for i := 1; i < len(c.Argv); i++ {
		c.Argv[i] = values.expand(c.Argv[i], asIs)
	}
	if r.Report != nil {
		c.Progress = &lines{take: func(line string) { r.Report(parseProgress(line)) }}
	}
	exit, err := e.Spawn(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case exit.Signal != "":
		return nil, fmt.Errorf("%s ended it", exit.Signal)
	case exit.Code != 0:
		return &exit, fmt.Errorf("exit code %d", exit.Code)
	}
	return &exit, nil
}

// merge joins environments; a later value of a name replaces an earlier one.
func merge(envs ...[]string) []string {
	var out []string
	for _, pair := range slices.Concat(envs...) {
		name, _, _ := strings.Cut(pair, "=")
		out = slices.DeleteFunc(out, func(was string) bool { return strings.HasPrefix(was, name+"=") })
		out = append(out, pair)
	}
	return out
}
