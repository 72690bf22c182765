package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/properties"
)

func (c *cli) migrateCommand() *cobra.Command {
	return c.family("migrate", "Move a server's local folders to the share", `  coterie migrate plan /opt/ibm-ucd/server --to /media/share/appdata
  coterie migrate apply plan-20261122-k3x9ab.json -y
  coterie migrate verify /media/share/appdata      on another node
  coterie migrate finish plan-20261122-k3x9ab.json -y
  coterie migrate rollback plan-20261122-k3x9ab.json -y
  coterie migrate status`,
		c.migratePlan(), c.apart(c.migrateApply(), shareOfPlan), c.apart(c.migrateVerify(), shareToVerify), c.apart(c.migrateRollback(), shareOfPlan),
		c.apart(c.migrateFinish(), shareOfPlan), c.apart(c.migrateStatus(), shareOfPlan))
}

// migrateProblem gives what a migration may meet its code.
func migrateProblem(p migrate.Plan, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*migrate.RefusedError](err); ok {
		return objections(e.Objections)
	}
	if e, ok := errors.AsType[*migrate.PathError](err); ok {
		return problem.New("COT-401", nil, "%v", e)
	}
	if _, ok := errors.AsType[*migrate.UnrestError](err); ok {
		return problem.New("COT-407", nil, "%v", err)
	}
	for _, one := range []struct {
		code string
		of   []error
	}{
		{"COT-401", []error{migrate.ErrNoInstallation, migrate.ErrWhichLayout, migrate.ErrNoProfile, migrate.ErrNoSetting, properties.ErrNot}},
		{"COT-403", []error{migrate.ErrPlan, migrate.ErrElsewhere, migrate.ErrDifferent}},
		{"COT-405", []error{migrate.ErrBusy, migrate.ErrUnderWay, migrate.ErrClaimed}},
		{"COT-406", []error{migrate.ErrOther}},
		{"COT-409", []error{migrate.ErrUnread}},
		{"COT-411", []error{migrate.ErrGoingBack, migrate.ErrCleared, migrate.ErrNotCut, migrate.ErrTurnedBack, migrate.ErrJoined, migrate.ErrNotProved}},
	} {
		for _, known := range one.of {
			if errors.Is(err, known) {
				return problem.New(one.code, nil, "%v", err)
			}
		}
	}
	return halfWay(p, err)
}

// halfWay is an error that ended a step; it says what to do, and that nothing is lost.
func halfWay(p migrate.Plan, err error) error {
	if e, ok := errors.AsType[*migrate.ChangedError](err); ok {
		said := problem.New("COT-410", nil, "%v", e)
		for _, one := range e.Reading.Sample {
			said.What += "\n  " + one
		}
		return said
	}
	if e, ok := errors.AsType[*migrate.JoinedError](err); ok {
		return problem.New("COT-410", nil, "%v", e)
	}
	if p.ID == "" {
		return err
	}
	said := problem.New("COT-412", nil, "%v", err)
	switch {
	case errors.Is(err, context.Canceled):
		said = problem.New("COT-412", nil, "stopped, as was asked for")
		said.Remedy = "nothing is lost: the same command goes on from here"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		said.Remedy = "nothing is lost: make room on the share, then the same command again"
	}
	return said
}

func objections(all []migrate.Objection) error {
	code, text := "COT-402", ""
	stopped := true
	for _, o := range all {
		text += "\n  " + objection(o)
		stopped = stopped && migrate.AtWork(o)
	}
	if stopped {
		code = "COT-404"
	}
	return problem.New(code, nil, "%s:%s", plural(int64(len(all)), "objection"), text)
}

// objection is one line, with the word by which it is accepted.
func objection(o migrate.Objection) string {
	text := o.Text
	if len(o.Sample) > 0 {
		text += ": " + strings.Join(o.Sample, ", ")
	}
	if !o.Firm && !o.Accepted {
		text += fmt.Sprintf(" (--accept %s)", o.Word)
	}
	return text
}

// profileNamed is a profile that is built in, or one of a file.
func profileNamed(name string) (*migrate.Profile, error) {
	if name == "" {
		return nil, nil
	}
	p, err := migrate.ProfileOf(name)
	if err == nil {
		return &p, nil
	}
	text, readErr := os.ReadFile(name)
	if errors.Is(readErr, fs.ErrNotExist) {
		return nil, problem.New("COT-401", nil, "%v, and no file of that name", err)
	}
	if readErr != nil {
		return nil, readErr
	}
	if p, err = migrate.ParseProfile(text); err != nil {
		return nil, problem.New("COT-401", nil, "%s: %v", name, err)
	}
	return &p, nil
}
