package bundle

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/coterie-ha/coterie/appdata"
)

// The classes that only bundles know.
const (
	TierBound appdata.Class = "tier_bound" // one tier's own
	Unbundled appdata.Class = "unbundled"  // the profile does not mention it
)

// ownFolder is where Coterie keeps what it needs itself, in a tree and in a bundle.
const ownFolder = ".coterie"

// Profile says which files of a product belong into a bundle.
//
// Patterns are those of path.Match. Those of Include are paths below the root, and
// a folder is all that is in it. The others may also be without a slash, and are
// then for the last part of any path.
type Profile struct {
	Name    string          `json:"name"`
	Include []string        `json:"include"`
	Exclude []string        `json:"exclude,omitempty"`
	Secret  []string        `json:"secret,omitempty"`
	Host    []string        `json:"per_host,omitempty"`
	Tier    []string        `json:"tier_bound,omitempty"`
	Merge   []appdata.Merge `json:"merge,omitempty"`
	Version string          `json:"version,omitempty"` // FILE or FILE#KEY of a properties file: says the product's version
}

// Profiles are the names of those that are built in.
func Profiles() []string { return []string{"appboard", "generic", "tomcat"} }

// ProfileOf gives the profile of that name.
func ProfileOf(name string) (Profile, bool) {
	p := Profile{Name: name, Secret: secrets(), Host: licences(), Merge: ports("conf/server.xml")}
	switch name {
	case "generic":
		p.Include = []string{"."}
	case "tomcat":
		p.Include = []string{"bin/setenv.*", "conf", "lib", "webapps"}
	case "appboard":
		p.Include = []string{"conf", "webapps/enportal"}
		p.Exclude = []string{"webapps/enportal/WEB-INF/logs", "*.log"}
		p.Host = append(p.Host, "webapps/enportal/WEB-INF/config/license.*")
		p.Tier = []string{"persist.properties"}
	default:
		return Profile{}, false
	}
	return p, true
}

// secrets is what no application means to hand on, by its name.
func secrets() []string {
	return []string{"*.keystore", "*.jks", "*.jceks", "*.p12", "*.pfx", "*.key", "id_rsa", "id_ecdsa", "id_ed25519", ".pgpass"}
}

func licences() []string { return []string{"license.properties", "license.dat", "*.lic"} }

// ports are the fields of Tomcat's server.xml in which servers differ.
func ports(file string) []appdata.Merge {
	var rules []appdata.Merge
	for _, attribute := range []string{
		"Server@port", "Server/Service/Connector@port", "Server/Service/Connector@redirectPort", "Server/Service/Connector@address",
		"Server/Service/Engine@jvmRoute",
	} {
		rules = append(rules, appdata.Merge{Path: file, XML: attribute})
	}
	return rules
}

// Check finds what cannot be used.
func (p Profile) Check() error {
	if err := p.equal().Check(); err != nil {
		return err
	}
	for _, pattern := range slices.Concat(p.Host, p.Tier) {
		if err := (appdata.Equal{Paths: []string{pattern}}).Check(); err != nil {
			return err
		}
	}
	if len(p.Include) == 0 {
		return fmt.Errorf("profile %q includes nothing", p.Name)
	}
	return nil
}

func (p Profile) equal() appdata.Equal {
	return appdata.Equal{Paths: p.Include, Ignore: p.Exclude, Secret: p.Secret, Merge: p.Merge}
}

// Class says what the file at a path is.
func (p Profile) Class(name string) appdata.Class {
	all := appdata.Equal{Paths: []string{"."}, Ignore: p.Exclude}
	switch {
	case ours(name), !all.Has(name):
		return appdata.Ignored
	case anyFits(p.Secret, name):
		return appdata.Secret
	case anyFits(p.Host, name):
		return appdata.PerHost
	case !p.equal().Has(name):
		return Unbundled
	case anyFits(p.Tier, name):
		return TierBound
	}
	if _, merged := p.equal().Normalises(name); merged {
		return appdata.Merged
	}
	return appdata.Shared
}

// includes says that an entry of a bundle is one that the profile includes, or a folder
// that leads there.
func (p Profile) includes(e *Entry) bool {
	class := p.Class(e.Path)
	return class == e.Class || class == Unbundled && e.Kind == appdata.Folder && e.Class == appdata.Shared && p.equal().Leads(e.Path)
}

// Skips is for Scanner.Skip of whoever looks at the whole tree.
func (p Profile) Skips(name string) bool {
	return ours(name) || (appdata.Equal{Ignore: p.Exclude}).Ignores(name)
}

// skips is for Scanner.Skip of whoever looks at what can be in a bundle.
func (p Profile) skips(name string) bool { return ours(name) || p.equal().Skips(name) }

// ours says that a path is Coterie's own.
func ours(name string) bool { return name == ownFolder || strings.HasPrefix(name, ownFolder+"/") }

// anyFits says that a pattern is of a path or of a folder above it; one without a
// slash is for the last part of any of these.
func anyFits(patterns []string, name string) bool {
	for _, pattern := range patterns {
		plain := strings.IndexByte(pattern, '/') < 0
		for part := name; ; {
			slash := strings.LastIndexByte(part, '/')
			if plain && fitsPart(pattern, part[slash+1:]) || !plain && fits(pattern, part) {
				return true
			}
			if slash < 0 {
				break
			}
			part = part[:slash]
		}
	}
	return false
}

// fitsPart is fits for a single name; most patterns are a name, or an end of one.
func fitsPart(pattern, last string) bool {
	switch at := strings.IndexAny(pattern, `*?[\`); {
	case at < 0:
		return pattern == last
	case at == 0 && pattern[0] == '*' && !strings.ContainsAny(pattern[1:], `*?[\`):
		return strings.HasSuffix(last, pattern[1:])
	}
	return fits(pattern, last)
}

// fits is path.Match; a bad pattern fits nothing, and Check finds it.
func fits(pattern, name string) bool {
	matched, _ := path.Match(pattern, name)
	return matched
}
