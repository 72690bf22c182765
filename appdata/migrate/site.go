package migrate

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coterie-ha/coterie/internal/properties"
)

// Site is what was found of an installation.
type Site struct {
	Profile Profile `json:"profile"`
	Layout  Layout  `json:"layout"`
	Install string  `json:"install"`
	From    string  `json:"from"` // folder below which the items are
	Version string  `json:"version,omitempty"`
	Items   []Item  `json:"items"`
	Edits   []Edit  `json:"edits,omitempty"`
}

// Item is one of the layout's, as it was found.
type Item struct {
	Piece
	Present bool   `json:"present"`
	Link    string `json:"link,omitempty"` // it is a link to this place
	Files   int64  `json:"files"`
	Folders int64  `json:"folders"`
	Bytes   int64  `json:"bytes"`
}

// Edit is one property that gets a value.
type Edit struct {
	File string  `json:"file"`
	Key  string  `json:"key"`
	Line int     `json:"line"` // in which it stands; 0: it is added
	Was  *string `json:"was"`  // nil: it was not there
	Is   string  `json:"is"`
}

// Why an installation is not understood.
var (
	ErrNoInstallation = errors.New("not an installation that a profile knows")
	ErrWhichLayout    = errors.New("the layout cannot be told")
	ErrNoSetting      = errors.New("no such setting")
	ErrNothingToDo    = errors.New("the application data are there already")
)

// Detect finds out which product is installed in a folder and how it keeps its files.
func Detect(a Ask) (Site, error) {
	p, err := ProfileFor(a.Install, a.Profile)
	if err != nil {
		return Site{}, err
	}
	s := Site{Profile: p, Install: a.Install, Version: versionOf(a.Install, p.Version.File)}
	told, where, err := s.told()
	if err != nil {
		return Site{}, err
	}
	if told == ToldFolder && where == a.To {
		return s, ErrNothingToDo
	}
	if err := s.choose(a.Layout, told); err != nil {
		return Site{}, err
	}
	s.From = a.Install
	if s.Layout.When == ToldFolder {
		s.From = where
		if _, err := os.Stat(where); errors.Is(err, fs.ErrNotExist) {
			return Site{}, &PathError{where, "is not there, and " + s.Profile.Property.File + " names it as the folder of the application data: is something not mounted?"}
		}
	}
	if err := s.look(); err != nil {
		return Site{}, err
	}
	return s, s.edit(a)
}

// ProfileFor is the profile of an installation: the one that is named, or of those that are
// built in the first that knows it.
func ProfileFor(install string, named *Profile) (Profile, error) {
	if info, err := os.Stat(install); err != nil {
		return Profile{}, err
	} else if !info.IsDir() {
		return Profile{}, &PathError{install, "not a folder"}
	}
	if named != nil {
		if missing := named.missing(install); missing != "" {
			return Profile{}, fmt.Errorf("%w: %s has no %s", ErrNoInstallation, install, missing)
		}
		return *named, nil
	}
	var looked []string
	for _, name := range Profiles() {
		p, err := ProfileOf(name)
		if err != nil {
			return Profile{}, err
		}
		missing := p.missing(install)
		if missing == "" {
			return p, nil
		}
		looked = append(looked, missing+" ("+name+")")
	}
	return Profile{}, fmt.Errorf("%w: %s has no %s", ErrNoInstallation, install, strings.Join(looked, ", no "))
}

// missing is the first of the paths by which an installation is known that is not there.
func (p Profile) missing(install string) string {
	for _, name := range p.Root {
		if _, err := os.Stat(filepath.Join(install, name)); err != nil {
			return name
		}
	}
	return ""
}

func versionOf(install, file string) string {
	if file == "" {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(install, file))
	if err != nil || len(text) > 4096 {
		return "" // it decides only where the property says nothing, and then it is asked for
	}
	var parts []string
	for _, n := range numbers(string(text)) {
		parts = append(parts, fmt.Sprint(n))
	}
	return strings.Join(parts, ".")
}

// Alias is the alias of the key of what is encrypted, as the plan will leave it.
func (s Site) Alias() string {
	for _, e := range s.Edits {
		if e.Key == s.Profile.Encryption.Key {
			return e.Is
		}
	}
	text, err := readProperties(s.propertyFile())
	if err != nil {
		return ""
	}
	value, _ := text.Get(s.Profile.Encryption.Key)
	return value
}

// propertyFile is the file with the property.
func (s Site) propertyFile() string { return filepath.Join(s.Install, s.Profile.Property.File) }

// told is what the property says, and the folder that it names.
func (s Site) told() (Told, string, error) {
	if s.Profile.Property.File == "" {
		return ToldAbsent, "", nil
	}
	text, err := readProperties(s.propertyFile())
	if errors.Is(err, fs.ErrNotExist) && s.Profile.Property.Make {
		return ToldAbsent, "", nil
	}
	if err != nil {
		return "", "", err
	}
	value, ok := text.Get(s.Profile.Property.Key)
	if !ok || strings.TrimSpace(value) == "" {
		return ToldAbsent, "", nil
	}
	where := value
	if !filepath.IsAbs(where) {
		where = filepath.Join(s.Install, s.Profile.Property.RelativeTo, where)
	}
	where = filepath.Clean(where)
	if where == s.Install {
		return ToldInstallation, where, nil
	}
	return ToldFolder, where, nil
}

func readProperties(file string) (properties.Text, error) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > properties.Most {
		err = fmt.Errorf("%s: %w", file, properties.ErrNot)
	}
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	return properties.Text(text), err
}

// choose takes the layout that was asked for, or the one that the property and the
// version show.
func (s *Site) choose(asked string, told Told) error {
	if asked != "" {
		i := slices.IndexFunc(s.Profile.Layouts, func(l Layout) bool { return l.Name == asked })
		if i < 0 {
			return fmt.Errorf("%w: profile %s has no layout %q, but %s", ErrWhichLayout, s.Profile.Name, asked, s.layoutNames())
		}
		if s.Profile.Layouts[i].When == ToldFolder && told != ToldFolder {
			return fmt.Errorf("%w: layout %q, but the property names no folder", ErrWhichLayout, asked)
		}
		s.Layout = s.Profile.Layouts[i]
		return nil
	}
	// A version that heeds the property and does not have it keeps all in the installation.
	if since := s.Profile.Version.FolderSince; told == ToldAbsent && since != "" {
		old, known := older(s.Version, since)
		if !known {
			return fmt.Errorf("%w: %s is not set, and %s does not say whether the version is older than %s; say --layout %s",
				ErrWhichLayout, s.Profile.Property.Key, s.Profile.Version.File, since, s.layoutNames())
		}
		if !old {
			told = ToldInstallation
		}
	}
	for _, l := range s.Profile.Layouts {
		if l.When == told {
			s.Layout = l
			return nil
		}
	}
	return fmt.Errorf("%w: profile %s has none for a property that says %s", ErrWhichLayout, s.Profile.Name, told)
}

func (s Site) layoutNames() string {
	var names []string
	for _, l := range s.Profile.Layouts {
		names = append(names, l.Name)
	}
	return strings.Join(names, ", ")
}

// look sees which items are there.
func (s *Site) look() error {
	for _, piece := range s.Layout.Items {
		one := Item{Piece: piece}
		at := s.source(piece.Path)
		info, err := os.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.Items = append(s.Items, one)
			continue
		case err != nil:
			return err
		}
		if info.Mode().Type() == fs.ModeSymlink && piece.Path != "." {
			if one.Link, err = os.Readlink(at); err != nil {
				return err
			}
		}
		if info, err = os.Stat(at); err != nil {
			return err
		}
		if info.IsDir() != piece.Dir {
			return &PathError{at, "expected a folder where there is a file, or the other way round"}
		}
		one.Present = true
		s.Items = append(s.Items, one)
	}
	if len(s.Present()) == 0 {
		return fmt.Errorf("%w: none of its items is there", ErrNoInstallation)
	}
	return nil
}

// edit says which properties get a value.
func (s *Site) edit(a Ask) error {
	if s.Layout.Links || s.Profile.Property.File == "" {
		if len(a.Set) > 0 {
			return fmt.Errorf("%w: this layout has no property to be set", ErrNoSetting)
		}
		return nil
	}
	want := map[string]string{}
	if a.Join {
		var err error
		if want, err = s.Profile.joins(a.To); err != nil {
			return err
		}
	}
	for name, value := range a.Set {
		one, known := s.Profile.Named(name)
		if !known || one.Key == "" || one.File != s.Profile.Property.File {
			return fmt.Errorf("%w: %q; those of profile %s are %s", ErrNoSetting, name, s.Profile.Name, strings.Join(s.settable(), ", "))
		}
		want[one.Key] = value
	}
	delete(want, s.Profile.Property.Key)
	keys := append([]string{s.Profile.Property.Key}, slices.Sorted(maps.Keys(want))...)
	want[s.Profile.Property.Key] = a.To
	text, err := readProperties(s.propertyFile())
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || !s.Profile.Property.Make) {
		return err
	}
	for _, key := range keys {
		e := Edit{File: s.Profile.Property.File, Key: key, Line: text.Line(key), Is: want[key]}
		if was, ok := text.Get(key); ok {
			e.Was = &was
		}
		if e.Was == nil || *e.Was != e.Is {
			s.Edits = append(s.Edits, e)
		}
	}
	_, err = s.edited(text)
	return err
}

// settable are the keys of settings in the properties file.
func (s *Site) settable() []string {
	var keys []string
	for _, one := range s.Profile.Settings {
		if one.Key != "" && one.File == s.Profile.Property.File {
			keys = append(keys, one.Key)
		}
	}
	return keys
}

// edited is the text with all edits made.
func (s Site) edited(text properties.Text) (properties.Text, error) {
	var err error
	for _, e := range s.Edits {
		if text, err = text.Set(e.Key, e.Is); err != nil {
			return nil, fmt.Errorf("%s: %w", s.propertyFile(), err)
		}
	}
	return text, nil
}
