package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/internal/properties"
)

// Must is what a setting must be to the servers of one cluster.
type Must string

// What a setting can have to be.
const (
	Agree  Must = "agree"  // the same at all of them
	Differ Must = "differ" // another one at each
	Be     Must = "be"     // one value
)

// Setting is what a server is told in its own configuration and what matters to the
// others: a property, an attribute of an XML file, or a whole file.
type Setting struct {
	File      string   `yaml:"file" json:"file"`
	Key       string   `yaml:"key" json:"key,omitempty"`             // of a properties file
	Attribute string   `yaml:"attribute" json:"attribute,omitempty"` // Server/Service/Connector@keyAlias
	Must      Must     `yaml:"must" json:"must"`
	Value     string   `yaml:"value" json:"value,omitempty"` // what it must be
	Not       []string `yaml:"not" json:"not,omitempty"`     // beginnings of values that only a lone server can have
	Why       string   `yaml:"why" json:"why"`
}

// Name tells one setting of an installation from another.
func (s Setting) Name() string {
	if field := s.Key + s.Attribute; field != "" {
		return s.File + "#" + field
	}
	return s.File
}

// short is how people call it.
func (s Setting) short() string {
	if s.Key != "" {
		return s.Key
	}
	return s.Name()
}

// whole says that a file is compared as it is; its content is never shown.
func (s Setting) whole() bool { return s.Key == "" && s.Attribute == "" }

// Named finds the setting that is meant by FILE#KEY, or by a key alone.
func (p Profile) Named(name string) (Setting, bool) {
	for _, s := range p.Settings {
		if s.Name() == name || s.Key == name && name != "" {
			return s, true
		}
	}
	return Setting{}, false
}

// SettingsOf gives the values of an installation by the names of its settings; what is not
// set has none. In place of the content of a file there is a digest with that salt, which
// tells nobody what it is of.
func (p Profile) SettingsOf(install, salt string) (map[string]string, error) {
	found := map[string]string{}
	for _, s := range p.Settings {
		value, ok, err := s.read(filepath.Join(install, s.File), salt)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("setting %s: %w", s.Name(), err)
		}
		if ok {
			found[s.Name()] = value
		}
	}
	return found, nil
}

func (s Setting) read(file, salt string) (string, bool, error) {
	switch {
	case s.Key != "":
		text, err := readProperties(file)
		if err != nil {
			return "", false, err
		}
		value, ok := text.Get(s.Key)
		return WithoutSecrets(value), ok && strings.TrimSpace(value) != "", nil
	case s.Attribute != "":
		text, err := readSome(file, appdata.MaxText)
		if err != nil {
			return "", false, err
		}
		all, err := appdata.AttributeValues(text, s.Attribute)
		for i := range all {
			all[i] = WithoutSecrets(all[i])
		}
		return strings.Join(all, ", "), len(all) > 0, err
	}
	f, err := os.Open(file)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	sum := sha256.New()
	sum.Write([]byte(salt))
	if _, err := io.Copy(sum, f); err != nil {
		return "", false, err
	}
	return hex.EncodeToString(sum.Sum(nil)), true, nil
}

// readSome reads a file that is not larger than that.
func readSome(file string, most int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = errors.New("too large for a configuration")
	}
	return text, err
}

// secrets are the passwords in the URL of a connection: user:password@ and password=.
var secrets = regexp.MustCompile(`(?i)(//[^/@:\s]*:|(?:thin|oci):[^/@:\s]+/|(?:password|passwd|pwd|secret|token)=)([^@&;/\s]+)(@|[&;\s]|$)`)

// WithoutSecrets is a value as it may be shown, and told to others.
func WithoutSecrets(value string) string {
	return secrets.ReplaceAllStringFunc(value, func(found string) string {
		part := secrets.FindStringSubmatch(found)
		named := strings.HasSuffix(part[1], "=")
		if !named && part[3] != "@" {
			return found // a port, or a path
		}
		return part[1] + appdata.Masked + part[3]
	})
}

// Server is another one of the cluster, as far as its settings are known.
type Server struct {
	Name   string            `json:"host"`
	First  bool              `json:"-"` // it has made the share what it is
	Values map[string]string `json:"settings,omitempty"`
}

// Verdict is a setting that is not as it must be.
type Verdict struct {
	Setting Setting
	Text    string
	Firm    bool // no cluster works so
	Theirs  bool // the other server is to be changed
}

// Judge holds the settings of a server against those of others.
func Judge(settings []Setting, here map[string]string, others []Server) []Verdict {
	var all []Verdict
	for _, s := range settings {
		value, set := here[s.Name()]
		for _, beginning := range s.Not {
			if set && strings.HasPrefix(strings.ToLower(value), beginning) {
				all = append(all, Verdict{Setting: s, Firm: true, Text: fmt.Sprintf("%s is %.200q, which no second server can have: %s", s.short(), value, s.Why)})
			}
		}
		if s.Must == Be && value != s.Value {
			all = append(all, Verdict{Setting: s, Text: fmt.Sprintf("%s is %s here, and must be %q: %s", s.short(), s.shown(value, set), s.Value, s.Why)})
		}
		for _, other := range others {
			if v, bad := s.against(other, value, set); bad {
				all = append(all, v)
			}
		}
	}
	return all
}

// against holds one setting against that of another server.
func (s Setting) against(other Server, value string, set bool) (Verdict, bool) {
	theirs, has := other.Values[s.Name()]
	v := Verdict{Setting: s}
	switch {
	case s.Must == Be && theirs != s.Value:
		v.Theirs = true
		v.Text = fmt.Sprintf("%s is %s at %s, and must be %q there too: %s", s.short(), s.shown(theirs, has), other.Name, s.Value, s.Why)
	case s.Must == Agree && (set != has || value != theirs):
		v.Text = fmt.Sprintf("%s is %s here and %s at %s: %s", s.short(), s.shown(value, set), s.shown(theirs, has), other.Name, s.Why)
		if s.whole() && set && has {
			v.Text = fmt.Sprintf("%s is not the one of %s: %s", s.short(), other.Name, s.Why)
		}
	case s.Must == Differ && set && has && value == theirs:
		v.Firm = true
		v.Text = fmt.Sprintf("%s is %s here and at %s as well: %s", s.short(), s.shown(value, set), other.Name, s.Why)
	case s.Must == Differ && !set && has:
		v.Text = fmt.Sprintf("%s is not set here, and is at %s: %s", s.short(), other.Name, s.Why)
	default:
		return v, false
	}
	return v, true
}

func (s Setting) shown(value string, set bool) string {
	switch {
	case !set && s.whole():
		return "absent"
	case !set:
		return "not set"
	case s.whole():
		return "there"
	}
	return fmt.Sprintf("%.200q", value)
}

// checkSettings finds what makes no sense in those of a profile.
func (p Profile) checkSettings() (paths []string, wrong []error) {
	var names []string
	for _, s := range p.Settings {
		paths = append(paths, s.File)
		names = append(names, s.Name())
		switch {
		case s.File == "" || s.Why == "":
			wrong = append(wrong, fmt.Errorf("setting %s: file and why are needed", s.Name()))
		case s.Key != "" && s.Attribute != "":
			wrong = append(wrong, fmt.Errorf("setting %s: key or attribute, not both", s.Name()))
		case !slices.Contains([]Must{Agree, Differ, Be}, s.Must):
			wrong = append(wrong, fmt.Errorf("setting %s: must is %q, not agree, differ or be", s.Name(), s.Must))
		case (s.Must == Be) != (s.Value != ""):
			wrong = append(wrong, fmt.Errorf("setting %s: a value goes with must: be", s.Name()))
		case s.Attribute != "":
			if _, err := appdata.ParseMerge("xml", s.Name()); err != nil {
				wrong = append(wrong, fmt.Errorf("setting: %w", err))
			}
		}
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		wrong = append(wrong, errors.New("settings: one is there twice"))
	}
	return paths, wrong
}

// Assign gives settings their values in the files where they stand: the new texts by the
// files' paths below the installation, as far as they change. The value of each is by the
// name of its setting, or FILE#KEY for any key of a file that the settings name.
func (p Profile) Assign(install string, values map[string]string) (map[string]properties.Text, error) {
	texts := map[string]properties.Text{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		file, key, err := p.meant(name)
		if err != nil {
			return nil, err
		}
		text, begun := texts[file]
		if !begun {
			if text, err = readProperties(filepath.Join(install, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		if was, ok := text.Get(key); !ok || was != values[name] {
			if texts[file], err = text.Set(key, values[name]); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return texts, nil
}

// meant is the file and the key of a property that somebody names.
func (p Profile) meant(name string) (file, key string, err error) {
	if s, ok := p.Named(name); ok && s.Key != "" {
		return s.File, s.Key, nil
	}
	file, key, found := strings.Cut(name, "#")
	var files []string
	for _, s := range p.Settings {
		if s.Attribute == "" && path.Ext(s.File) == ".properties" {
			files = append(files, s.File)
			if found && key != "" && (s.File == file || path.Base(s.File) == file) {
				return s.File, key, nil
			}
		}
	}
	slices.Sort(files)
	return "", "", fmt.Errorf("%w: %q; write FILE#KEY with one of %s", ErrNoSetting, name, strings.Join(slices.Compact(files), ", "))
}

// DatabaseURL is where the application of an installation finds its database; empty when
// the profile does not know where that stands, or it is not set.
func (p Profile) DatabaseURL(install string) (string, error) {
	if p.Database.File == "" {
		return "", nil
	}
	text, err := readProperties(filepath.Join(install, p.Database.File))
	value, _ := text.Get(p.Database.Key)
	return strings.TrimSpace(value), err
}
