package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/coordinator/console"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

// asProblem gives an error of any package its code and remedy. What no case
// knows is COT-299, which is worth a report.
func asProblem(err error) *problem.Problem {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*table.ColumnError](err); ok {
		return asProblem(columnProblem(e))
	}
	for _, known := range []func(error) *problem.Problem{
		configProblem, schemaProblem, connectProblem, identityProblem, serverProblem, refusalProblem, listenProblem, fileProblem, brokenProblem,
	} {
		if p := known(err); p != nil {
			return p
		}
	}
	return problem.New("COT-299", nil, "%v", err)
}

// refusalProblem are the sentinels of packages that refuse.
func refusalProblem(err error) *problem.Problem {
	if errors.Is(err, jobs.ErrChangedMeanwhile) {
		return problem.New("COT-506", nil, "%v", err)
	}
	return nil
}

// listenProblem is an address or socket that the agent cannot have.
func listenProblem(err error) *problem.Problem {
	for _, taken := range []error{syscall.EADDRINUSE, syscall.EADDRNOTAVAIL, console.ErrSocketTaken, console.ErrNotSocket, console.ErrSocketPath} {
		if errors.Is(err, taken) {
			return problem.New("COT-224", nil, "%v", err)
		}
	}
	return nil
}

// fileProblem comes before brokenProblem: an errno alone looks like one of the network's.
func fileProblem(err error) *problem.Problem {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return problem.New("COT-214", e.Err, "%s", e.Path)
	}
	return nil
}

func configProblem(err error) *problem.Problem {
	e, ok := errors.AsType[*config.Error](err)
	if !ok {
		return nil
	}
	code := "COT-210"
	if errors.Is(err, config.ErrNotFound) && len(e.Faults) == 0 {
		code = "COT-211"
	}
	return problem.New(code, nil, "%s", e.Error())
}

// identityProblem is about who this node is.
func identityProblem(err error) *problem.Problem {
	e, wrong := errors.AsType[*coordinator.WrongClusterError](err)
	switch {
	case wrong:
		return problem.New("COT-209", nil, "%v", e)
	case errors.Is(err, coordinator.ErrNameTaken), errors.Is(err, leases.ErrTaken):
		return problem.New("COT-601", nil, "%v", err)
	case errors.Is(err, coordinator.ErrCopied):
		return problem.New("COT-604", nil, "%v", err)
	case errors.Is(err, coordinator.ErrEvicted):
		return problem.New("COT-605", nil, "%v", err)
	case errors.Is(err, coordinator.ErrRunning):
		return problem.New("COT-603", nil, "%v", err)
	}
	return nil
}

func connectProblem(err error) *problem.Problem {
	if errors.Is(err, schema.ErrInsecure) {
		return problem.New("COT-218", nil, "%v", err)
	}
	if errors.Is(err, schema.ErrLocal) {
		return problem.New("COT-225", nil, "%v", err)
	}
	if errors.Is(err, schema.ErrStatementPooling) {
		return problem.New("COT-226", nil, "%v", schema.ErrStatementPooling)
	}
	e, ok := errors.AsType[*schema.ConnectError](err)
	if !ok {
		return nil
	}
	codes := map[error]string{
		schema.ErrUnreachable: "COT-201",
		schema.ErrSlow:        "COT-201",
		schema.ErrFull:        "COT-201",
		schema.ErrLogin:       "COT-202",
		schema.ErrNoDatabase:  "COT-217",
		schema.ErrTLS:         "COT-218",
		schema.ErrReadOnly:    "COT-208",
	}
	p := problem.New(codes[e.Kind], nil, "database %q at %s as %q: %v", e.Database, e.Server, e.User, e.Kind)
	if said := firstLine(e.Err); said != "" && !errors.Is(e, schema.ErrSlow) {
		p.Why = said
	}
	if p.Exit == problem.ExitUnreachable {
		p.Remedy = "look at the server and the way to it; coterie status asks the agent of this machine meanwhile"
	}
	return p
}

func schemaProblem(err error) *problem.Problem {
	if e, ok := errors.AsType[*schema.VersionError](err); ok {
		if errors.Is(e, schema.ErrNewer) {
			return problem.New("COT-206", nil, "the database's schema is %d, and this program knows up to %d", e.Database, e.Program)
		}
		p := problem.New("COT-205", nil, "%v", e)
		if errors.Is(e, schema.ErrAbsent) {
			p.Remedy = "coterie init"
		}
		return p
	}
	if e, ok := errors.AsType[*schema.ChangedError](err); ok {
		return problem.New("COT-219", nil, "%v", e)
	}
	if e, ok := errors.AsType[*schema.PrivilegeError](err); ok {
		p := problem.New("COT-203", nil, "role %q may not set up the schema", e.User)
		p.Remedy = "a superuser runs once in this database:\n" + strings.Join(e.Run, ";\n") + ";"
		return p
	}
	if e, ok := errors.AsType[*schema.FileError](err); ok {
		return problem.New("COT-207", e, "the upgrade of the schema did not go through")
	}
	return nil
}

// serverProblem judges by what the server said.
func serverProblem(err error) *problem.Problem {
	said, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return nil
	}
	switch code := string(said.Code); {
	case code == "42501":
		return problem.New("COT-203", nil, "%s", said.Message)
	case code == "CT010":
		return problem.New("COT-209", nil, "%s", said.Message)
	case code == "25006":
		return problem.New("COT-208", nil, "%s", said.Message)
	case code == "55P03":
		return problem.New("COT-228", nil, "the database gave up waiting: %s", said.Message)
	case code == "57014", strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "08"), strings.HasPrefix(code, "53"):
		return problem.New("COT-201", nil, "the database gave up: %s", said.Message)
	}
	return nil
}

// brokenProblem recognises a connection that broke or was waited for in vain.
func brokenProblem(err error) *problem.Problem {
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), isNet && netErr.Timeout():
		return problem.New("COT-201", nil, "the database did not answer in time")
	case errors.Is(err, context.Canceled):
		return problem.New("COT-223", nil, "stopped")
	case isNet, errors.Is(err, driver.ErrBadConn), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return problem.New("COT-201", err, "the connection to the database broke")
	}
	return nil
}

// firstLine is what an error says first; a driver that tried several servers
// says something of each.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(line, "pq: ")
}

// nearest is the problem of a name that nothing has, with the one that was
// probably meant.
func nearest(code, what, name string, names []string) error {
	p := problem.New(code, nil, "%s %q", what, name)
	if near := config.Nearest(name, names); near != "" {
		p.Remedy = fmt.Sprintf("did you mean %q? otherwise: %s", near, p.Remedy)
	}
	return p
}
