package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/internal/atomicfile"
)

const readingSchema = "coterie.migration_reading/v1"

// Reading is one host's word on what is on the share: it has read each content that
// was proved, through its own mount.
type Reading struct {
	Schema   string   `json:"schema"`
	Plan     string   `json:"plan"`
	Manifest string   `json:"manifest"` // digest of the manifest
	Machine  string   `json:"machine"`
	Host     string   `json:"host"`
	At       string   `json:"at"`
	Files    int64    `json:"files"`
	Bytes    int64    `json:"bytes"`
	Same     int64    `json:"same"`    // have the content that was proved
	Bad      int64    `json:"bad"`     // look as they were proved, and have another content; or cannot be read
	Changed  int64    `json:"changed"` // were written since
	Missing  int64    `json:"missing"`
	New      int64    `json:"new"`              // were not moved there; counted where it is asked for
	Sample   []string `json:"sample,omitempty"` // of what is not the same, with why
	Gone     []string `json:"gone,omitempty"`   // of what is missing, quoted paths
}

// OK says whether the share has what was proved, as far as nobody wrote since.
func (r Reading) OK() bool { return r.Bad == 0 && r.Files > 0 }

// ErrNotProved means that there is no manifest yet.
var ErrNotProved = errors.New("nothing was proved yet")

// PlanOn is the plan that filled a share, as the share itself says.
func PlanOn(share string) (Plan, error) {
	c, err := readClaim(share)
	if errors.Is(err, fs.ErrNotExist) {
		return Plan{}, fmt.Errorf("%w: %s was filled by no plan", ErrNotProved, share)
	}
	if err != nil {
		return Plan{}, err
	}
	if !fitID(c.Plan) {
		return Plan{}, fmt.Errorf("%w: %s", ErrPlan, claimPath(share))
	}
	p, err := ReadPlan(filepath.Join(share, stateName, "migrations", c.Plan, planName))
	if err != nil {
		return Plan{}, err
	}
	p.To = share // which may be mounted elsewhere here
	return p, nil
}

// ReadBack reads all that was proved from the share, and leaves this host's word on
// it there.
func ReadBack(ctx context.Context, p Plan, progress *Progress) (Reading, error) {
	seen, err := p.read(ctx, filepath.Join(p.shareDir(), manifestName), progress)
	if err != nil {
		return seen, err
	}
	return seen, p.leaveWord(seen)
}

func (p Plan) leaveWord(seen Reading) error {
	dir := filepath.Join(p.shareDir(), "readings")
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	text, err := json.MarshalIndent(seen, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, seen.Machine+".json"), append(text, '\n'), 0o644)
}

// compareShare is ReadBack of the host that moved the data, which also looks for what
// is new, and goes by what it knows itself.
func (p Plan) compareShare(ctx context.Context, progress *Progress) (Reading, error) {
	manifest := filepath.Join(p.localDir(), manifestName)
	seen, err := p.read(ctx, manifest, progress)
	if err != nil {
		return seen, err
	}
	known := map[uint64]bool{}
	top := map[string]bool{}
	err = eachProof(manifest, true, func(one Proof) error {
		known[keyOf(one.Path)] = true
		path, err := appdata.Unquote(one.Path)
		top[p.unitOf(path)] = true
		return err
	})
	if err != nil {
		return seen, err
	}
	for unit := range top {
		err := filepath.WalkDir(p.placeOf(unit), func(name string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // missing, and counted as that
			}
			if err != nil || d.IsDir() || passes(d.Name()) {
				return err
			}
			rel, err := filepath.Rel(p.placeOf(unit), name)
			if err != nil {
				return err
			}
			if path := appdata.Quote(filepath.Join(unit, rel)); !known[keyOf(path)] {
				seen.New++
				sample(&seen.Sample, path+" is new")
			}
			return nil
		})
		if err != nil {
			return seen, err
		}
	}
	return seen, nil
}

// unitOf is the unit to which a path belongs.
func (p Plan) unitOf(path string) string {
	for _, one := range p.Items {
		if one.Path != "." && within(path, filepath.FromSlash(one.Path)) {
			return filepath.FromSlash(one.Path)
		}
	}
	first, _, _ := strings.Cut(path, "/")
	return first
}

// placeOf is where something is on the share: at its name, or on the stage.
func (p Plan) placeOf(path string) string {
	final := filepath.Join(p.To, path)
	if _, err := os.Lstat(final); errors.Is(err, fs.ErrNotExist) {
		return filepath.Join(p.stage(), path)
	}
	return final
}

// Readings are what hosts have said of the share.
func (p Plan) Readings() ([]Reading, error) {
	all, err := filepath.Glob(filepath.Join(p.shareDir(), "readings", "*.json"))
	if err != nil {
		return nil, err
	}
	var found []Reading
	for _, file := range all {
		var r Reading
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		found = append(found, r)
	}
	return found, nil
}
