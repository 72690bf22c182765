package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/coordinator/console"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

func TestEveryErrorBecomesAProblem(t *testing.T) {
	connect := func(kind error) error {
		return &schema.ConnectError{Kind: kind, Server: "db1:5432", Database: "d", User: "u", Err: errors.New("pq: why")}
	}
	said := func(code string) error { return &pq.Error{Code: pqerror.Code(code), Message: "no"} }
	for _, c := range []struct {
		err  error
		code string
		exit int
	}{
		{problem.New("COT-120", nil, "x"), "COT-120", 5},
		{usageProblem("x"), "COT-212", 2},
		{&table.ColumnError{Column: "nam", View: "nodes", Columns: []string{"name"}}, "COT-212", 2},
		{&config.Error{Places: []config.Place{{Path: "-c", Why: "not given"}}}, "COT-211", 2},
		{&config.Error{File: "f", Faults: []config.Fault{{Text: "x"}}}, "COT-210", 2},
		{connect(schema.ErrUnreachable), "COT-201", 6},
		{connect(schema.ErrSlow), "COT-201", 6},
		{connect(schema.ErrFull), "COT-201", 6},
		{connect(schema.ErrLogin), "COT-202", 2},
		{connect(schema.ErrNoDatabase), "COT-217", 2},
		{connect(schema.ErrTLS), "COT-218", 2},
		{connect(schema.ErrReadOnly), "COT-208", 6},
		{schema.ErrInsecure, "COT-218", 2},
		{fmt.Errorf("drain: %w", schema.ErrLocal), "COT-225", 1},
		{fmt.Errorf("look for a pooler: %w", schema.ErrStatementPooling), "COT-226", 2},
		{&schema.VersionError{Kind: schema.ErrAbsent}, "COT-205", 2},
		{&schema.VersionError{Kind: schema.ErrOlder, Database: 1, Program: 2}, "COT-205", 2},
		{&schema.VersionError{Kind: schema.ErrNewer, Database: 3, Program: 2}, "COT-206", 2},
		{&schema.ChangedError{Migration: "m"}, "COT-219", 5},
		{&schema.PrivilegeError{User: "u", Run: []string{"CREATE ROLE x"}}, "COT-203", 5},
		{&schema.FileError{File: "f", Err: errors.New("x")}, "COT-207", 1},
		{fmt.Errorf("listen on 127.0.0.1:7480: %w", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}), "COT-224", 2},
		{fmt.Errorf("listen on /run/x: %w", console.ErrSocketTaken), "COT-224", 2},
		{fmt.Errorf("join app-a: %w", coordinator.ErrNameTaken), "COT-601", 2},
		{fmt.Errorf("begin session of app-a: %w", leases.ErrTaken), "COT-601", 2},
		{fmt.Errorf("join app-a: %w", coordinator.ErrCopied), "COT-604", 2},
		{fmt.Errorf("/var/lib/coterie: %w", coordinator.ErrRunning), "COT-603", 5},
		{&coordinator.WrongClusterError{Said: "other"}, "COT-209", 2},
		{jobs.ErrChangedMeanwhile, "COT-506", 5},
		{said("42501"), "COT-203", 5},
		{said("CT010"), "COT-209", 2},
		{said("25006"), "COT-208", 6},
		{said("57014"), "COT-201", 6},
		{said("55P03"), "COT-228", 1},
		{said("57P01"), "COT-201", 6},
		{said("08006"), "COT-201", 6},
		{context.DeadlineExceeded, "COT-201", 6},
		{context.Canceled, "COT-223", 1},
		{driver.ErrBadConn, "COT-201", 6},
		{io.ErrUnexpectedEOF, "COT-201", 6},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, "COT-201", 6},
		{&os.PathError{Op: "open", Path: "jobs.yaml", Err: syscall.ENOENT}, "COT-214", 2},
		{errors.New("something else"), "COT-299", 1},
	} {
		p := asProblem(fmt.Errorf("do: %w", c.err))
		if p.Code != c.code || p.Exit != c.exit || p.What == "" || p.Remedy == "" && p.Code != "COT-212" {
			t.Errorf("%v: %s exit %d, want %s exit %d; %+v", c.err, p.Code, p.Exit, c.code, c.exit, p)
		}
	}
}
