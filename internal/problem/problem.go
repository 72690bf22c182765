// Package problem gives what goes wrong a code, a remedy and an exit code.
//
// A package of ours returns sentinels and typed errors; the command line turns
// them into a Problem by the code that fits. Codes are promises: scripts and
// runbooks go by them, so one is never given a second meaning.
//
//	COT-1xx leases and acting    COT-4xx migration
//	COT-2xx database, settings   COT-5xx jobs
//	COT-3xx storage              COT-6xx nodes
//	                             COT-7xx demo
//	                             COT-8xx licences
//	                             COT-9xx keystores
//
// To add a code, add one literal to the table of its area (leases.go,
// database.go, storage.go, jobs.go, nodes.go, demo.go, licenses.go, keystores.go, trust.go,
// migrations.go, bundles.go) and run the test with
// -update, which writes docs/problems.md. A test finds every code that is used anywhere
// and has no entry.
package problem

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The exit codes of the command line. The monitoring plug-in alone has others.
const (
	ExitDone        = 0  // done, or all is well
	ExitFailed      = 1  // tried and failed
	ExitUsage       = 2  // usage or configuration
	ExitDegraded    = 3  // works, but somebody should look
	ExitNone        = 4  // no such thing
	ExitRefused     = 5  // a guard, a conflict, not the holder
	ExitUnreachable = 6  // database unreachable
	ExitTimedOut    = 7  // not waited for any longer; it is still going on
	ExitPartly      = 8  // partly done
	ExitChanges     = 10 // dry run: there are changes
)

// Problem is an error as people see it.
type Problem struct {
	Code   string // COT-310
	What   string // what was attempted or found, with names
	Why    string // the cause; may be empty
	Remedy string // what to do about it; the table's, unless a better one is known
	Exit   int

	cause error
}

// New makes a problem of a code. The text says what, cause says why and may be
// nil. A caller who knows the very command to type sets Remedy afterwards.
func New(code string, cause error, format string, args ...any) *Problem {
	p := &Problem{Code: code, What: fmt.Sprintf(format, args...), Exit: ExitFailed, cause: cause}
	if entry, ok := Lookup(code); ok {
		p.Remedy, p.Exit = entry.Remedy, entry.Exit
	}
	if cause != nil {
		p.Why = cause.Error()
	}
	return p
}

// Error is the problem on one line, without the remedy.
func (p *Problem) Error() string {
	if p.Why == "" {
		return p.Code + " " + p.What
	}
	return p.Code + " " + p.What + ": " + p.Why
}

// Unwrap is the cause.
func (p *Problem) Unwrap() error { return p.cause }

// Text is the problem as it is printed: what, why, the remedy, and where to
// read more.
func (p *Problem) Text() string {
	const indent = "\n            "
	var b strings.Builder
	b.WriteString(p.Error())
	if p.Remedy != "" {
		b.WriteString("\n    remedy  " + strings.ReplaceAll(p.Remedy, "\n", indent))
	}
	if _, ok := Lookup(p.Code); ok {
		b.WriteString("\n    more    coterie doctor --explain " + p.Code)
	}
	return b.String()
}

// Exit is the exit code for an error: a Problem's own, else 0 for nil and 1.
func Exit(err error) int {
	if err == nil {
		return ExitDone
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Exit
	}
	return ExitFailed
}

// Entry is what is known about a code.
type Entry struct {
	Code    string
	Exit    int
	Title   string // a few words, lower case
	Remedy  string // what to do, when nothing better is known on the spot
	Explain string // what it means, what harm it does, what leads to it
}

// Table is all entries in the order of their codes.
func Table() []Entry {
	table := slices.Concat(leases(), database(), storage(), jobs(), nodes(), demo(), licenses(), keystores(), trusts(), migrations(), bundles())
	slices.SortFunc(table, func(a, b Entry) int { return cmp.Compare(a.Code, b.Code) })
	return table
}

// Lookup finds an entry by its code, also written cot-310 or 310.
func Lookup(code string) (Entry, bool) {
	code = strings.ToUpper(code)
	if !strings.HasPrefix(code, "COT-") {
		code = "COT-" + code
	}
	for _, entry := range Table() {
		if entry.Code == code {
			return entry, true
		}
	}
	return Entry{}, false
}
