package migrate

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed profiles/*.yaml
var profiles embed.FS

// Profile is what one product keeps where, and how it is told to look elsewhere.
type Profile struct {
	Name       string    `yaml:"profile"`
	Product    string    `yaml:"product"`
	Root       []string  `yaml:"root"` // paths by which an installation is known
	Property   Property  `yaml:"property"`
	Version    Version   `yaml:"version"`
	Running    Running   `yaml:"running"`
	Join       Join      `yaml:"join"`
	Settings   []Setting `yaml:"settings"`
	Database   Property  `yaml:"database"`   // where the URL of its database stands
	Encryption Property  `yaml:"encryption"` // keystore on the share with the key of what is encrypted, and the property with its alias
	Patches    string    `yaml:"patches"`    // folder of patches among the application data, which an upgrade must not find
	Loads      []string  `yaml:"loads"`      // patterns of files that a server executes into the common database when it starts
	Layouts    []Layout  `yaml:"layouts"`
}

// Property is where a server is told where its application data are.
type Property struct {
	File       string `yaml:"file"` // below the installation; empty: there is none
	Key        string `yaml:"key"`
	RelativeTo string `yaml:"relative_to"` // folder from which a relative value counts
	Make       bool   `yaml:"make"`        // the file may be absent, and is made
}

// Version is where the installed version stands.
type Version struct {
	File        string `yaml:"file"`
	FolderSince string `yaml:"folder_since"` // first version that heeds the property
}

// Running is how a server is known that has not been stopped.
type Running struct {
	PIDFiles []string `yaml:"pid_files"`
	PortKeys []string `yaml:"port_keys"` // properties that hold ports on which it listens
	Ports    []int    `yaml:"ports"`
}

// Join is what a further server needs besides the folder.
type Join struct {
	Same []string          `yaml:"same"` // files that must be equal on the share and here
	Copy []string          `yaml:"copy"` // properties that it takes from the first server
	Set  map[string]string `yaml:"set"`
}

// Layout is one way in which a product has kept its files.
type Layout struct {
	Name  string  `yaml:"name"`
	Says  string  `yaml:"says"`
	When  Told    `yaml:"when"`
	Links bool    `yaml:"links"` // the property is not heeded: links are put in the old places
	Items []Piece `yaml:"items"`
}

// Told is what the property says.
type Told string

// What the property can say.
const (
	ToldFolder       Told = "folder"       // a folder of its own
	ToldInstallation Told = "installation" // the installation itself
	ToldAbsent       Told = "absent"       // nothing
)

// Piece is a file or folder of a layout.
type Piece struct {
	Path   string `yaml:"path"` // "." is all that is in the folder
	Dir    bool   `yaml:"dir"`
	Secret bool   `yaml:"secret"` // others must not read it on the share either
	Copy   bool   `yaml:"copy"`   // the installation keeps its own
}

// ErrNoProfile means that there is no profile of that name.
var ErrNoProfile = errors.New("no such profile")

// Profiles are the names of those that are built in.
func Profiles() []string {
	found, err := profiles.ReadDir("profiles")
	if err != nil {
		panic(err) // it is part of the program
	}
	var names []string
	for _, e := range found {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// ProfileOf gives a profile that is built in.
func ProfileOf(name string) (Profile, error) {
	if !slices.Contains(Profiles(), name) {
		return Profile{}, fmt.Errorf("%w: %q; there are %s", ErrNoProfile, name, strings.Join(Profiles(), ", "))
	}
	text, err := profiles.ReadFile("profiles/" + name + ".yaml")
	if err != nil {
		return Profile{}, err
	}
	return ParseProfile(text)
}

// ParseProfile reads a profile and says what is wrong with it.
func ParseProfile(text []byte) (Profile, error) {
	var p Profile
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil {
		return Profile{}, fmt.Errorf("profile: %w", err)
	}
	if err := p.check(); err != nil {
		return Profile{}, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	return p, nil
}

func (p Profile) check() error {
	var wrong []error
	tell := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,40}$`).MatchString(p.Name) {
		tell("profile: %q is not a name of a-z 0-9 -", p.Name)
	}
	if len(p.Root) == 0 {
		tell("root: nothing by which an installation is known")
	}
	if (p.Property.File == "") != (p.Property.Key == "") {
		tell("property: file and key go together")
	}
	paths := slices.Concat(p.Root, p.Running.PIDFiles, p.Join.Same, []string{p.Encryption.File, p.Patches, p.Database.File, p.Property.File, p.Property.RelativeTo, p.Version.File})
	ofSettings, senseless := p.checkSettings()
	paths, wrong = append(paths, ofSettings...), append(wrong, senseless...)
	paths = append(paths, p.Loads...)
	told := map[Told]bool{}
	for _, l := range p.Layouts {
		if !slices.Contains([]Told{ToldFolder, ToldInstallation, ToldAbsent}, l.When) {
			tell("layout %s: when is %q, not folder, installation or absent", l.Name, l.When)
		}
		if told[l.When] {
			tell("layout %s: another is for %q as well", l.Name, l.When)
		}
		told[l.When] = true
		if !l.Links && p.Property.File == "" {
			tell("layout %s: without a property it needs links: true", l.Name)
		}
		if l.Name == "" || len(l.Items) == 0 {
			tell("layout %q: a name and items are needed", l.Name)
		}
		for i, one := range l.Items {
			paths = append(paths, one.Path)
			if one.Path == "." && (len(l.Items) > 1 || l.Links || l.When != ToldFolder) {
				tell("layout %s: \".\" stands alone, in a layout of a folder", l.Name)
			}
			for _, other := range l.Items[:i] {
				if within(one.Path, other.Path) || within(other.Path, one.Path) {
					tell("layout %s: %s and %s lie in one another", l.Name, other.Path, one.Path)
				}
			}
		}
	}
	if len(p.Layouts) == 0 {
		tell("layouts: none")
	}
	for _, one := range paths {
		if one != "" && one != "." && (path.Clean(one) != one || path.IsAbs(one) || one == ".." || strings.HasPrefix(one, "../")) {
			tell("%q is not a path below the installation", one)
		}
	}
	return errors.Join(wrong...)
}

// within tells whether a path is the other or lies below it.
func within(name, above string) bool {
	return above == "." || name == above || strings.HasPrefix(name, above+"/")
}

// older compares versions number by number; the second result says whether both
// could be read.
func older(a, b string) (bool, bool) {
	x, y := numbers(a), numbers(b)
	if len(x) == 0 || len(y) == 0 {
		return false, false
	}
	return slices.Compare(x, y) < 0, true
}

// numbers are those of the first version in a text, such as "version=7.3.0.1".
func numbers(text string) []int {
	found := regexp.MustCompile(`\d+(\.\d+)+`).FindString(text)
	var n []int
	for part := range strings.SplitSeq(found, ".") {
		if i, err := strconv.Atoi(part); err == nil {
			n = append(n, i)
		}
	}
	return n
}
