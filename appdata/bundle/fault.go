package bundle

import (
	"fmt"

	"github.com/coterie-ha/coterie/appdata"
)

// Fault is why a bundle is not made or not imported.
type Fault struct {
	Kind FaultKind
	Path string // of the entry, as it is spelled; empty: of the whole
	Why  string
}

func (f *Fault) Error() string {
	if f.Path == "" {
		return f.Why
	}
	return appdata.Quote(f.Path) + ": " + f.Why
}

// FaultKind is what a caller decides by.
type FaultKind string

// The kinds of fault.
const (
	Damaged      FaultKind = "damaged"       // no bundle, or not what its manifest says
	BadName      FaultKind = "bad name"      // a path that is not taken, however it is spelled
	TooLarge     FaultKind = "too large"     // more bytes, names or memory than allowed
	Unsigned     FaultKind = "unsigned"      // nobody vouches for it
	WrongKey     FaultKind = "wrong key"     // nobody who is trusted vouches for it
	OtherTier    FaultKind = "other tier"    // of another environment
	OtherVersion FaultKind = "other version" // of another version of the product
	Unfit        FaultKind = "unfit"         // the tree has something that is in the way
	Meanwhile    FaultKind = "meanwhile"     // somebody changed the tree while it was worked on
	Busy         FaultKind = "busy"          // another import is at work
	Nothing      FaultKind = "nothing"       // there is no import to take back
	BadKey       FaultKind = "bad key"       // of the file of a key
	Unpackable   FaultKind = "unpackable"    // the tree cannot be put into a bundle
)

func fault(kind FaultKind, path, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Path: path, Why: fmt.Sprintf(format, args...)}
}
