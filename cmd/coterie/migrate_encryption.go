package main

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/keystore"
)

// usualPassword is that of keystores which nobody has given another.
const usualPassword = keystore.Password("changeit")

// encryptionKey sees that the encryption keystore of the share has the key of which a
// server that joins will be told. Where it will be told of none, it is told of the only
// one that there is: then the plan is to be made again.
func (c *cli) encryptionKey(p migrate.Plan, a *migrate.Ask, passwordFile string) (again bool, err error) {
	if p.Profile.Encryption.File == "" || p.Layout.Links {
		return false, nil
	}
	name := filepath.Join(p.To, p.Profile.Encryption.File)
	data, err := keystore.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s, err := c.openEncryption(name, data, passwordFile)
	if err != nil || s == nil {
		return false, err
	}
	var aliases []string
	for _, e := range s.Entries {
		if e.Kind == keystore.Secret || e.Kind == keystore.Key {
			aliases = append(aliases, e.Alias)
		}
	}
	alias := p.Alias()
	switch known := slices.ContainsFunc(aliases, func(one string) bool { return strings.EqualFold(one, alias) }); {
	case known:
		return false, nil
	case alias == "" && len(aliases) == 1:
		a.Set = with(a.Set, p.Profile.Encryption.Key, aliases[0])
		return true, nil
	}
	said := problem.New("COT-908", nil, "%s has no key %q, of which this server would be told; there are: %s", name, alias, strings.Join(aliases, ", "))
	if alias == "" {
		said = problem.New("COT-908", nil, "%s has %d keys, and nothing says which is meant: %s", name, len(aliases), strings.Join(aliases, ", "))
	}
	said.Remedy = "--set " + p.Profile.Encryption.Key + "=ALIAS"
	f := c.settler()
	if f == nil || len(aliases) == 0 {
		return false, said
	}
	c.say("%s.", said.What)
	for i, one := range aliases {
		c.say("%3d  %s", i+1, one)
	}
	if alias, err = c.pick(f, aliases); err != nil || alias == "" {
		return false, errors.Join(err, said)
	}
	a.Set = with(a.Set, p.Profile.Encryption.Key, alias)
	return true, nil
}

// with is what is set, with one more.
func with(set map[string]string, key, value string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, set)
	all[key] = value
	return all
}

// openEncryption opens a keystore by the usual password, by that of a file, or by a
// person's; nil where nobody can be asked, which is told.
func (c *cli) openEncryption(name string, data []byte, passwordFile string) (*keystore.Store, error) {
	if passwordFile == "" {
		s, err := keystore.Read(data, keystore.Passwords{Store: usualPassword})
		if err == nil {
			return s, nil
		}
		if _, detected := keystore.Detect(data); c.person() == nil || detected != nil {
			c.say("%s was not opened, so whether it has this server's key is not known: --keystore-password-file", name)
			return nil, nil
		}
	}
	return c.openKeystore(name, data, passwordFile, keystore.Passwords{})
}
