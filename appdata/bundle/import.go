package bundle

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// Policy is how far an import goes.
type Policy string

// The policies.
const (
	Full    Policy = "full"    // the tree becomes as the bundle says: added, replaced, deleted
	Partial Policy = "partial" // only what is not there is added
	None    Policy = "none"    // nothing is changed: it is held against the bundle
)

// Policies are all of them.
func Policies() []Policy { return []Policy{Full, Partial, None} }

// Import brings a bundle into a tree.
type Import struct {
	Root     string
	Policy   Policy
	Profile  Profile             // what this host says its files are; it can only withhold
	Trust    []ed25519.PublicKey // who may have signed
	Unsigned bool                // whoever made it: the caller knows where it comes from

	Tier, FromTier       string // of the tree; another one that is accepted
	Version, FromVersion string // of the product in the tree; another one that is accepted

	Workers  int
	Progress *appdata.Progress

	step func(what string) // for tests: called before each thing that is done to the disk
}

// Accepts says whether a bundle may come into the tree, by what it says of itself.
func (im Import) Accepts(r *Reader) error {
	if !im.Unsigned {
		if err := r.Believe(im.Trust); err != nil {
			return err
		}
	} else if len(im.Trust) > 0 && r.Signer() != "" {
		if err := r.Believe(im.Trust); err != nil {
			return err
		}
	}
	if r.Tier != im.Tier && (im.FromTier == "" || r.Tier != im.FromTier) {
		return fault(OtherTier, "", "made in the tier %q, and this is %q", r.Tier, im.Tier)
	}
	version, err := r.Profile.version(im.Root, im.Version)
	if err != nil {
		return err
	}
	if version == "" && im.Profile.Version != "" {
		if version, err = im.Profile.version(im.Root, ""); err != nil {
			return err
		}
	}
	if r.Version != version && (im.FromVersion == "" || r.Version != im.FromVersion) {
		return fault(OtherVersion, "", "made of version %q of the product, and here is %q", r.Version, version)
	}
	return nil
}

// Class is what a path is by the bundle and by this host: whoever withholds is heard.
func (im Import) class(r *Reader, name string) appdata.Class {
	theirs, ours := r.Profile.Class(name), im.Profile.Class(name)
	for _, class := range []appdata.Class{appdata.Ignored, appdata.Secret, appdata.PerHost, Unbundled, TierBound, appdata.Merged} {
		if theirs == class || ours == class {
			return class
		}
	}
	return appdata.Shared
}

// mix gives a text of the bundle with this host's values in the fields that may differ.
func (im Import) mix(r *Reader, name string, theirs, ours []byte) ([]byte, error) {
	q := appdata.Equal{Merge: r.Profile.Merge}
	for _, rule := range im.Profile.Merge {
		known := false
		for _, m := range q.Merge {
			known = known || m == rule
		}
		if !known {
			q.Merge = append(q.Merge, rule)
		}
	}
	return q.Mix(name, theirs, ours)
}

func (im Import) did(format string, args ...any) {
	if im.step != nil {
		im.step(fmt.Sprintf(format, args...))
	}
}

// look scans what the bundle can be about.
func (im Import) look(ctx context.Context, r *Reader) (*appdata.Manifest, error) {
	s := appdata.Scanner{Root: im.Root, Skip: r.Profile.skips, Workers: im.Workers, Progress: im.Progress}
	return s.Scan(ctx)
}

// Applied is what an import did.
type Applied struct {
	Number  int       // by which it is known; 0: there was nothing to do
	At      time.Time // when it was begun, by this host's clock
	Changes int
	Left    []string // paths that somebody changed meanwhile
}
