package migrate

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// member is what a further server takes from the first one, and is held against.
type member struct {
	Server
	Plan       string            `json:"plan"`
	Profile    string            `json:"profile"`
	Properties map[string]string `json:"properties"`
	Salt       string            `json:"salt,omitempty"` // of the digests of files among the settings
}

func memberPath(share string) string { return filepath.Join(share, stateName, "member.json") }

// readMember is nil where no first server has said anything.
func readMember(share string) (*member, error) {
	text, err := os.ReadFile(memberPath(share))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := new(member)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s: %w", memberPath(share), err)
	}
	return m, nil
}

// tellMember puts on the share what a further server will need, and what it is held
// against: as the server is set, and as it will be by edits that are about to be made.
func (p Plan) tellMember(edits []Edit) error {
	if p.Profile.Property.File == "" {
		return nil
	}
	m := member{
		Server: Server{Name: p.Host}, Plan: p.ID, Profile: p.Profile.Name,
		Properties: map[string]string{}, Salt: rand.Text(),
	}
	text, err := readProperties(p.propertyFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, key := range p.Profile.Join.Copy {
		if value, ok := text.Get(key); ok {
			m.Properties[key] = value
		}
	}
	if m.Values, err = p.willBe(m.Salt, edits); err != nil {
		return err
	}
	out, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	temp := filepath.Join(p.shareDir(), filepath.Base(memberPath(p.To))+".new")
	if err := prepared(temp, append(out, '\n'), 0o644); err != nil {
		return err
	}
	return atomicfile.Replace(temp, memberPath(p.To))
}

// willBe are the settings of the server when edits have been made.
func (p Plan) willBe(salt string, edits []Edit) (map[string]string, error) {
	values, err := p.Profile.SettingsOf(p.Install, salt)
	if err != nil {
		return nil, err
	}
	for _, e := range edits {
		s := Setting{File: e.File, Key: e.Key}
		if slices.ContainsFunc(p.Profile.Settings, func(known Setting) bool { return known.Name() == s.Name() }) {
			values[s.Name()] = WithoutSecrets(e.Is)
		}
	}
	return values, nil
}

// Retell says on the share anew how this server is set, if it uses the share: what
// somebody has set since, who joins is held against.
func Retell(p Plan, j Journal) error {
	if !j.Done(Cut) || j.Begun(Restore) || p.Machine != Machine() {
		return nil
	}
	if p.Join {
		return p.tellJoined(nil)
	}
	return p.tellMember(nil)
}
