package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// Names of our own, at both ends.
const (
	stateName     = ".coterie"
	journalName   = "journal.json"
	planName      = "plan.json"
	lockName      = "lock"
	proofName     = "proofs"
	manifestName  = "manifest"
	stageName     = "stage"
	claimName     = "migration.json"
	journalSchema = "coterie.migration_journal/v1"
)

// Why a plan cannot be gone on with.
var (
	ErrBusy      = errors.New("another run is at work on this plan")
	ErrOther     = errors.New("the share is not the one on which the plan was begun, or an older state of it")
	ErrClaimed   = errors.New("the share belongs to another plan")
	ErrUnderWay  = errors.New("another plan is under way for this installation")
	ErrDifferent = errors.New("the plan file is not the one that was begun")
)

// ends are the journals of a plan.
type ends struct {
	plan    Plan
	text    []byte // of the plan file
	local   string // folder at the installation
	share   string // folder at the share
	journal Journal
	locked  *os.File
	lenient bool   // the share may be away: what is there is left as it is
	between func() // one journal was written, and the other not yet
}

func (p Plan) localDir() string { return filepath.Join(p.Install, stateName, "migration-"+p.ID) }
func (p Plan) shareDir() string { return filepath.Join(p.To, stateName, "migrations", p.ID) }
func (p Plan) stage() string    { return filepath.Join(p.shareDir(), stageName) }

// claim is the share's own word on which plan filled it.
type claim struct {
	Plan    string `json:"plan"`
	Host    string `json:"host"`
	Install string `json:"install"`
}

func claimPath(share string) string { return filepath.Join(share, stateName, claimName) }

func readClaim(share string) (claim, error) {
	var c claim
	text, err := os.ReadFile(claimPath(share))
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("%s: %w", claimPath(share), err)
	}
	return c, nil
}

// readJournal gives an empty journal where there is none.
func readJournal(dir string, p Plan) (Journal, error) {
	j := Journal{Schema: journalSchema, Plan: p.ID, Digest: p.digest}
	text, err := os.ReadFile(filepath.Join(dir, journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return j, err
	}
	var found Journal
	if err := json.Unmarshal(text, &found); err != nil || found.Schema != journalSchema || found.Plan != p.ID {
		return j, fmt.Errorf("%s: not the journal of plan %s", filepath.Join(dir, journalName), p.ID)
	}
	return found, nil
}

func writeJournal(dir string, j Journal) error {
	text, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, journalName+".new")
	if err := prepared(temp, append(text, '\n'), 0o600); err != nil {
		return err
	}
	err = atomicfile.Replace(temp, filepath.Join(dir, journalName))
	if errors.Is(err, atomicfile.ErrNotDurable) {
		return nil // a share without it; the record is repeated when it is lost
	}
	return err
}

// prepared writes a file that gets its name later. Its first name is one of the plan's own,
// so that who was killed here leaves nothing that is not written over, or swept.
func prepared(temp string, text []byte, mode fs.FileMode) error {
	err := atomicfile.PrepareNew(temp, text, mode)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Remove(temp); err != nil {
		return err
	}
	return atomicfile.PrepareNew(temp, text, mode)
}

// openEnds reads both journals of a plan, and keeps other runs out where something
// is to be done.
func openEnds(p Plan, text []byte, exclusive bool) (*ends, error) {
	e := &ends{plan: p, text: text, local: p.localDir(), share: p.shareDir()}
	if exclusive {
		if err := e.enter(); err != nil {
			return nil, err
		}
	}
	err := e.read()
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// enter makes the folder of the plan at the installation and locks it.
func (e *ends) enter() error {
	if err := e.alone(); err != nil {
		return err
	}
	if err := os.MkdirAll(e.local, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(e.local, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := lock(f); err != nil {
		return errors.Join(err, f.Close())
	}
	e.locked = f
	return nil
}

// alone refuses when another plan was begun for the installation and has not ended.
func (e *ends) alone() error {
	all, err := filepath.Glob(filepath.Join(e.plan.Install, stateName, "migration-*", journalName))
	if err != nil {
		return err
	}
	for _, name := range all {
		if filepath.Dir(name) == e.local {
			continue
		}
		var j Journal
		text, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(text, &j)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !j.Done(Clear) && !j.Done(Cut) {
			return fmt.Errorf("%w: %s, which is %s", ErrUnderWay, j.Plan, Phase(j))
		}
	}
	return nil
}

func (e *ends) read() error {
	var err error
	if e.journal, err = readJournal(e.local, e.plan); err != nil {
		return err
	}
	if e.journal.Digest != e.plan.digest && len(e.journal.Records) > 0 {
		return ErrDifferent
	}
	return nil
}

// sameShare refuses a share that knows less than the installation does.
func (e *ends) sameShare() error {
	if !e.journal.Done(Begin) || e.plan.Join || e.lenient {
		return nil
	}
	there, err := readJournal(e.share, e.plan)
	if err != nil {
		return err
	}
	// Swept at the share, and not yet here: the way back is taken to its end.
	if len(there.Records) == 0 && e.journal.Begun(Sweep) {
		return nil
	}
	if !there.Covers(e.journal) {
		return ErrOther
	}
	return nil
}

// note writes records at both ends, the share first. Those that are given at once are
// there all or none.
func (e *ends) note(records ...Record) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	next := e.journal
	next.Records = slices.Clone(next.Records)
	for _, r := range records {
		r.At, r.Host = time.Now().UTC().Format(time.RFC3339), host
		next.Records = append(next.Records, r)
	}
	if _, err := os.Stat(e.share); err == nil {
		if err := writeJournal(e.share, next); err != nil {
			return err
		}
		e.between()
	} else if e.journal.Done(Begin) && !e.plan.Join && !e.lenient && records[0].Step != Sweep {
		return err
	}
	if err := writeJournal(e.local, next); err != nil {
		return err
	}
	e.journal = next
	return nil
}

func (e *ends) close() error {
	if e.locked == nil {
		return nil
	}
	return e.locked.Close()
}

// kept is where the installation's own files are kept as they were.
func (e *ends) kept(name string) string { return filepath.Join(e.local, "kept", name) }
