package bundle

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/coterie-ha/coterie/appdata"
)

// version is the version of the product in a tree: as it is said, or as the file says
// that the profile names: its first line, or the value of a key.
func (p Profile) version(root, said string) (string, error) {
	if said != "" || p.Version == "" {
		return said, wordFault("version", said)
	}
	name, key, keyed := strings.Cut(p.Version, "#")
	at, err := os.OpenRoot(root)
	if err != nil {
		return "", err
	}
	defer at.Close()
	f, err := appdata.OpenPlain(at, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, appdata.MaxText))
	if err != nil {
		return "", err
	}
	found, _, _ := strings.Cut(string(text), "\n")
	if keyed {
		value := regexp.MustCompile(`(?m)^[ \t]*` + regexp.QuoteMeta(key) + `[ \t]*[=: \t][ \t]*([^\r\n]*)`).FindStringSubmatch(string(text))
		if value == nil {
			return "", nil
		}
		found = value[1]
	}
	found = strings.TrimSpace(found)
	return found, wordFault("version", found)
}

// wordFault refuses what is no word for people.
func wordFault(what, word string) error {
	if len(word) > maxWord || strings.ContainsFunc(word, unseen) {
		return fault(Unpackable, "", "%q is no %s", word, what)
	}
	return nil
}
