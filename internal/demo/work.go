package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// StaleError says that a run may not make its effect: it was overtaken.
type StaleError struct{ Token, Newer int64 }

func (e *StaleError) Error() string {
	return fmt.Sprintf("write refused: token %d < %d", e.Token, e.Newer)
}

// Work is what the demo's jobs do: a program that the agent starts, working on the
// share. Like any effect that matters it carries its token, and asks before it is
// made whether a later one has been there.
type Work struct {
	Share string
	Out   io.Writer
	Env   func(string) string // how it learns what run it is
	Pace  time.Duration       // between steps, so that people can see it work

	run testimony
}

// Names of works; jobs and actions of the demo have the same.
const (
	expireLogs       = "expire-logs"
	verifyRepository = "verify-repository"
	auditDigest      = "audit-digest"
	rotateReport     = "rotate-report"
	tick             = "tick"
)

// Works lists what Do can do.
func Works() []string {
	return []string{expireLogs, verifyRepository, auditDigest, rotateReport, tick}
}

// Do does one work as the run that the environment tells.
func (w *Work) Do(ctx context.Context, name string) error {
	do := map[string]func(context.Context) (effect func() error, err error){
		expireLogs: w.expireLogs, verifyRepository: w.verifyRepository,
		auditDigest: w.auditDigest, rotateReport: w.rotateReport, tick: w.tick,
	}[name]
	if do == nil {
		return fmt.Errorf("no work %q: there are %s", name, strings.Join(Works(), ", "))
	}
	if err := w.identify(); err != nil {
		return err
	}
	if err := w.say(saysStart); err != nil {
		return err
	}
	effect, err := do(ctx)
	if err != nil {
		return err
	}
	if err := w.mayStill(); err != nil {
		return err
	}
	if err := effect(); err != nil {
		return err
	}
	return w.say(saysDone)
}

// identify reads what the agent told this run about itself.
func (w *Work) identify() error {
	due, errDue := time.Parse(time.RFC3339Nano, w.Env("COTERIE_DUE_AT"))
	token, errToken := strconv.ParseInt(w.Env("COTERIE_TOKEN"), 10, 64)
	if err := errors.Join(errDue, errToken); err != nil {
		return fmt.Errorf("this work is done by an agent's run: %w", err)
	}
	w.run = testimony{Job: w.Env("COTERIE_JOB"), Due: due.UTC(), Token: token, Node: w.Env("COTERIE_NODE"), PID: os.Getpid()}
	return nil
}

func (w *Work) witness() witness { return witness(filepath.Join(w.Share, witnessName)) }

// say appends to the witness, and refuses to go on if a later token had been
// there before.
func (w *Work) say(what string) error {
	t := w.run
	t.Says = what
	if err := w.witness().hear(t); err != nil {
		return err
	}
	all, err := w.witness().tell()
	if err != nil {
		return err
	}
	return w.refuseIf(newest(all[:slices.IndexFunc(all, func(other testimony) bool { return other == t })+1], w.run.Job))
}

// mayStill refuses a run that was overtaken.
func (w *Work) mayStill() error {
	all, err := w.witness().tell()
	if err != nil {
		return err
	}
	return w.refuseIf(newest(all, w.run.Job))
}

func (w *Work) refuseIf(newer int64) error {
	if newer <= w.run.Token {
		return nil
	}
	t := w.run
	t.Says = saysRefused
	return errors.Join(&StaleError{w.run.Token, newer}, w.witness().hear(t))
}

// step waits a little; being told to stop is noticed here.
func (w *Work) step(ctx context.Context) error {
	t := time.NewTimer(w.Pace)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

func (w *Work) tell(format string, args ...any) { fmt.Fprintf(w.Out, format+"\n", args...) }

// keepLogs is how long logs are kept.
const keepLogs = 8 * time.Second

// expireLogs removes old logs. How old is judged by the file system's own clock.
func (w *Work) expireLogs(ctx context.Context) (func() error, error) {
	dir := filepath.Join(w.Share, logsDir)
	now, err := timeOf(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var old []string
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > keepLogs {
			old = append(old, filepath.Join(dir, entry.Name()))
		}
	}
	for range 20 {
		if err := w.step(ctx); err != nil {
			return nil, err
		}
	}
	return func() error {
		var errs []error
		for _, name := range old {
			if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		w.tell("expired %d of %d logs", len(old), len(entries))
		return errors.Join(errs...)
	}, nil
}

// timeOf asks a folder's file system for the time.
func timeOf(dir string) (time.Time, error) {
	f, err := os.CreateTemp(dir, ".clock-*")
	if err != nil {
		return time.Time{}, err
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// verifyRepository compares all artifacts with the list of their checksums.
func (w *Work) verifyRepository(ctx context.Context) (func() error, error) {
	dir := filepath.Join(w.Share, repositoryDir)
	list, err := os.ReadFile(filepath.Join(dir, sumsName))
	if err != nil {
		return nil, err
	}
	good, bad := 0, []string{}
	for line := range strings.Lines(string(list)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		text, err := os.ReadFile(filepath.Join(dir, filepath.Base(name)))
		sum := sha256.Sum256(text)
		switch {
		case err != nil:
			bad = append(bad, name+": "+err.Error())
		case hex.EncodeToString(sum[:]) != want:
			bad = append(bad, name+": is not what its checksum says")
		default:
			good++
		}
		if err := w.step(ctx); err != nil {
			return nil, err
		}
	}
	return func() error {
		w.tell("verified %d artifacts", good)
		for _, line := range bad {
			w.tell("%s", line)
		}
		if len(bad) > 0 {
			return fmt.Errorf("%d artifacts are damaged", len(bad))
		}
		return nil
	}, nil
}

// auditDigest writes a digest of the audit log, for whoever compares it later.
func (w *Work) auditDigest(ctx context.Context) (func() error, error) {
	dir := filepath.Join(w.Share, auditDir)
	text, err := os.ReadFile(filepath.Join(dir, auditName))
	if err != nil {
		return nil, err
	}
	for range 15 {
		if err := w.step(ctx); err != nil {
			return nil, err
		}
	}
	entries := strings.Count(string(text), "\n")
	digest := fmt.Sprintf("entries %d\nbytes   %d\nsha256  %x\ntoken   %d\nnode    %s\n", entries, len(text), sha256.Sum256(text), w.run.Token, w.run.Node)
	return func() error {
		w.tell("digest of %d entries", entries)
		return atomicfile.Write(filepath.Join(dir, "digest"), []byte(digest), 0o644)
	}, nil
}

// reports is how many old reports are kept.
const reports = 5

// rotateReport puts the report aside and begins another.
func (w *Work) rotateReport(ctx context.Context) (func() error, error) {
	name := filepath.Join(w.Share, reportsDir, reportName)
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for range 10 {
		if err := w.step(ctx); err != nil {
			return nil, err
		}
	}
	return func() error {
		for n := reports; n > 1; n-- {
			err := os.Rename(fmt.Sprintf("%s.%d", name, n-1), fmt.Sprintf("%s.%d", name, n))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := os.Rename(name, name+".1"); err != nil {
			return err
		}
		w.tell("report of %d lines put aside", strings.Count(string(text), "\n")-1)
		return appendLine(name, "application,line")
	}, nil
}

// tick is the least that a job can do: the extra jobs of a load.
func (w *Work) tick(ctx context.Context) (func() error, error) {
	return func() error { return nil }, ctx.Err()
}
