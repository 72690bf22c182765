package migrate

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

const planSchema = "coterie.migration_plan/v1"

// Plan says what is to be moved where, and what an administrator has accepted.
type Plan struct {
	Schema  string `json:"schema"`
	ID      string `json:"id"`
	MadeAt  string `json:"made_at"`
	By      string `json:"by"`
	Reason  string `json:"reason,omitempty"`
	Host    string `json:"host"`
	Machine string `json:"machine"` // identity of the host
	Site    `json:"site"`
	To      string        `json:"to"`
	MakeTo  bool          `json:"make_to"` // the folder is not there yet
	Mount   appdata.Mount `json:"mount"`
	Join    bool          `json:"join"` // the share has the data already
	Accepts []string      `json:"accepts,omitempty"`
	Objects []Objection   `json:"objections,omitempty"`

	digest    string
	questions []Question
}

// Objection is a reason not to carry a plan out as it is.
type Objection struct {
	Word     string   `json:"word"` // by which it is accepted
	Text     string   `json:"text"`
	Sample   []string `json:"sample,omitempty"` // quoted paths
	Firm     bool     `json:"firm"`             // it cannot be accepted
	Accepted bool     `json:"accepted"`
}

// Ask is what a plan is made from.
type Ask struct {
	Install string
	To      string
	Profile *Profile // nil: found out
	Layout  string   // empty: found out
	Accepts []string
	Join    bool
	Set     map[string]string // settings of the profile that get a value, by their names or keys
	By      string
	Reason  string
	Try     bool // files may be made on the share, and are removed, to see what it can hold
}

// Make looks at an installation and at the share, and changes neither; see Ask.Try.
func Make(ctx context.Context, a Ask) (Plan, error) {
	p := Plan{
		Schema: planSchema, ID: newID(), MadeAt: time.Now().UTC().Format(time.RFC3339), By: a.By, Reason: a.Reason,
		Machine: Machine(), To: a.To, Accepts: a.Accepts, Join: a.Join,
	}
	var err error
	if p.Host, err = os.Hostname(); err != nil {
		return Plan{}, err
	}
	for _, path := range []string{a.Install, a.To} {
		if err := plainPath(path); err != nil {
			return Plan{}, err
		}
	}
	if p.Site, err = Detect(a); err != nil {
		return Plan{}, err
	}
	if err := p.apart(); err != nil {
		return Plan{}, err
	}
	found, err := p.survey(ctx)
	if err != nil {
		return Plan{}, err
	}
	p.Objects, err = p.objections(ctx, found, a.Try)
	return p, err
}

// newID is short enough to be said on the telephone, and no second plan has it.
func newID() string {
	return time.Now().UTC().Format("20060102") + "-" + strings.ToLower(rand.Text()[:6])
}

// plainPath refuses what a shell would have had to expand.
func plainPath(path string) error {
	switch {
	case strings.HasPrefix(path, "~"), strings.Contains(path, "/~"), strings.Contains(path, "$"):
		return &PathError{path, "a shell's abbreviation (~ or $), which a server does not expand: write the path out"}
	case !filepath.IsAbs(path):
		return &PathError{path, "not an absolute path"}
	case filepath.Clean(path) != path:
		return &PathError{path, "write it as " + filepath.Clean(path)}
	case path == "/":
		return &PathError{path, "the root of a host"}
	}
	return nil
}

// PathError is a path that cannot be meant.
type PathError struct{ Path, Why string }

func (e *PathError) Error() string { return appdata.Quote(e.Path) + ": " + e.Why }

// apart refuses a share within the old folders, and the other way round, by whatever
// links that is so.
func (p *Plan) apart() error {
	to, err := real(p.To)
	if err != nil {
		return err
	}
	for _, one := range p.Items {
		from, err := real(p.source(one.Path))
		if err != nil {
			return err
		}
		if within(to, from) || within(from, to) {
			return &PathError{p.To, "lies within " + from + ", or the other way round"}
		}
	}
	return nil
}

// real is where a path leads, as far as it is there.
func real(name string) (string, error) {
	at, err := filepath.EvalSymlinks(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return at, err
	}
	above, err := real(filepath.Dir(name))
	return filepath.Join(above, filepath.Base(name)), err
}

// source is where an item is in the installation.
func (s Site) source(item string) string { return filepath.Join(s.From, filepath.FromSlash(item)) }

// Text is the plan file.
func (p Plan) Text() []byte {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		panic(err) // strings and numbers of our own making
	}
	return append(text, '\n')
}

// ErrPlan means that a file is no plan of this program.
var ErrPlan = errors.New("not a plan")

// ReadPlan reads a plan file.
func ReadPlan(file string) (Plan, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Plan{}, err
	}
	return parsePlan(text)
}

func parsePlan(text []byte) (Plan, error) {
	var p Plan
	if err := json.Unmarshal(text, &p); err != nil {
		return Plan{}, fmt.Errorf("%w: %w", ErrPlan, err)
	}
	if p.Schema != planSchema || !fitID(p.ID) {
		return Plan{}, fmt.Errorf("%w: its schema is %.60q", ErrPlan, p.Schema)
	}
	if err := p.Profile.check(); err != nil {
		return Plan{}, fmt.Errorf("%w: %w", ErrPlan, err)
	}
	for _, path := range []string{p.Install, p.From, p.To} {
		if err := plainPath(path); err != nil {
			return Plan{}, fmt.Errorf("%w: %w", ErrPlan, err)
		}
	}
	for _, one := range p.Items {
		if one.Path != "." && !filepath.IsLocal(one.Path) {
			return Plan{}, fmt.Errorf("%w: item %q", ErrPlan, one.Path)
		}
	}
	sum := sha256.Sum256(text)
	p.digest = hex.EncodeToString(sum[:])
	return p, nil
}

func fitID(id string) bool {
	return len(id) == 15 && !strings.ContainsFunc(id, func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') })
}

// Refusals are the objections that nobody has accepted.
func (p Plan) Refusals() []Objection {
	var left []Objection
	for _, o := range p.Objects {
		if !o.Accepted {
			left = append(left, o)
		}
	}
	return left
}

// object adds an objection.
func (p *Plan) object(o *[]Objection, one Objection) {
	one.Accepted = !one.Firm && slices.Contains(p.Accepts, one.Word)
	one.Sample = one.Sample[:min(len(one.Sample), 5)]
	*o = append(*o, one)
}

// Present are the items that are there.
func (s Site) Present() []Item {
	return slices.DeleteFunc(slices.Clone(s.Items), func(i Item) bool { return !i.Present })
}
