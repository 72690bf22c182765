package migrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// joins are the properties that a further server gets besides the folder.
func (p Profile) joins(share string) (map[string]string, error) {
	want := maps.Clone(p.Join.Set)
	if want == nil {
		want = map[string]string{}
	}
	for _, s := range p.Settings {
		if s.Must == Be && s.File == p.Property.File {
			want[s.Key] = s.Value
		}
	}
	m, err := readMember(share)
	if err != nil || m == nil {
		return want, err // where the first server was not moved by us, that is an objection
	}
	for _, key := range p.Join.Copy {
		if value, ok := m.Properties[key]; ok {
			want[key] = value
		}
	}
	return want, nil
}

// settings holds what the server will be told against what the others are.
func (p *Plan) settings(o *[]Objection) error {
	m, err := readMember(p.To)
	if err != nil {
		return err
	}
	if m == nil {
		m = &member{}
	}
	if p.Join && m.Values == nil && len(p.Profile.Join.Copy)+len(p.Profile.Settings) > 0 {
		p.object(o, Objection{Word: "member", Text: "the share does not say what the first server is told of its database, its certificate and its addresses: see for yourself that they fit"})
	}
	here, err := p.willBe(m.Salt, p.Edits)
	if err != nil {
		return err
	}
	var others []Server
	if p.Join && m.Values != nil {
		joined, err := joinedServers(p.To, p.Machine)
		if err != nil {
			return err
		}
		others = append([]Server{m.Server}, joined...)
		others[0].First = true
	}
	for _, v := range Judge(p.Profile.Settings, here, others) {
		switch {
		case !p.Join && v.Setting.Must == Be:
			continue // it is alone as yet; who joins is told what to do here
		case !p.Join:
			p.object(o, Objection{Word: "alone", Text: v.Text})
		case v.Theirs:
			p.object(o, Objection{Word: "others-settings", Text: v.Text + "; set it there, start that server again, and say so there: coterie migrate verify PLAN"})
		default:
			one := Objection{Word: "settings", Text: v.Text + v.remedy(p.Profile, others), Firm: v.Firm}
			p.object(o, one)
			if v.Firm || !slices.Contains(p.Accepts, one.Word) {
				p.wonder(v, others)
			}
		}
	}
	return nil
}

// remedy says how the plan would set right what is not.
func (v Verdict) remedy(p Profile, others []Server) string {
	s := v.Setting
	switch {
	case s.File != p.Property.File || s.Key == "":
		return "; bring it from there"
	case s.Must == Differ:
		return fmt.Sprintf("; --set %s=VALUE", s.Key)
	case s.Must == Agree && len(others) > 0 && others[0].Values[s.Name()] != "":
		return fmt.Sprintf("; --set %s=%s", s.Key, others[0].Values[s.Name()])
	}
	return ""
}

// differences compares the local folders with what is on the share. A joined server
// sees only the share, so each file that is here alone is one that it will miss.
func (p *Plan) differences(ctx context.Context, o *[]Objection) error {
	if p.Layout.Links {
		p.object(o, Objection{Word: "layout", Text: "a server that is told of its folders by links cannot join; upgrade it first", Firm: true})
	}
	for _, name := range p.Profile.Join.Same {
		if err := p.sameHere(name, o); err != nil {
			return err
		}
	}
	here, there, err := p.bothTrees(ctx)
	if err != nil {
		return err
	}
	kinds := map[string]*Objection{}
	for change := range appdata.Compare(there, here) {
		word, why := p.meaning(change)
		if word == "" {
			continue
		}
		if kinds[word] == nil {
			kinds[word] = &Objection{Word: word, Text: why}
		}
		sample(&kinds[word].Sample, change.Path)
	}
	for _, word := range []string{"secrets-differ", "only-here", "differ"} {
		if kinds[word] != nil {
			p.object(o, *kinds[word])
		}
	}
	return nil
}

// meaning says what a difference means to a server that joins.
func (p *Plan) meaning(c appdata.Change) (word, why string) {
	folder := c.After != nil && c.After.Kind == appdata.Folder
	switch {
	case folder && c.Change != appdata.Uncertain, c.Change == appdata.Deleted, c.Change == appdata.Touched:
		return "", "" // the share has more, or the same with another date: it counts
	case p.isSecret(c.Path):
		return "secrets-differ", "this server's keystores are not those of the share: what it has encrypted with its own cannot be read any more"
	case c.Change == appdata.Created:
		return "only-here", "these files are only here; the server will not see them any more"
	}
	return "differ", "these files differ from those of the share, which count from now on"
}

func (p *Plan) isSecret(path string) bool {
	for _, one := range p.Items {
		if one.Secret && one.Path == path {
			return true
		}
	}
	return filepath.Ext(path) == ".keystore"
}

// sameHere compares one file that must be equal, such as the installed version.
func (p *Plan) sameHere(name string, o *[]Objection) error {
	here, err := os.ReadFile(filepath.Join(p.Install, name))
	if err != nil {
		return err
	}
	there, err := os.ReadFile(filepath.Join(p.To, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.object(o, Objection{Word: "version", Text: "the share has no " + name + ": it cannot be told whether this server has its version"})
	case err != nil:
		return err
	case !bytes.Equal(bytes.TrimSpace(here), bytes.TrimSpace(there)):
		p.object(o, Objection{Word: "version", Text: fmt.Sprintf("%s is %.60q here and %.60q on the share: servers of one cluster have one version", name, bytes.TrimSpace(here), bytes.TrimSpace(there)), Firm: true})
	}
	return nil
}

// bothTrees scans the items, here and on the share.
func (p *Plan) bothTrees(ctx context.Context) (here, there *appdata.Manifest, err error) {
	skip := func(path string) bool { return !p.concerns(path) }
	if here, err = (appdata.Scanner{Root: p.From, Skip: skip}).Scan(ctx); err != nil {
		return nil, nil, err
	}
	there, err = (appdata.Scanner{Root: p.To, Skip: skip}).Scan(ctx)
	return here, there, err
}

// concerns says whether a path is of an item, or on the way to one. Logs are each
// server's affair, and an installation keeps its copy of what is copied.
func (p *Plan) concerns(path string) bool {
	if within(path, stateName) || within(path, "logs") {
		return false
	}
	for _, one := range p.Items {
		if within(path, one.Path) || within(one.Path, path) {
			return !one.Copy
		}
	}
	return false
}

func joinedDir(share string) string { return filepath.Join(share, stateName, "joined") }

// joinedServer is what the share knows of a server that has joined.
type joinedServer struct {
	Server
	Plan string `json:"plan"`
}

// tellJoined says on the share that this host uses it, and how it is set.
func (p Plan) tellJoined(edits []Edit) error {
	if err := os.MkdirAll(joinedDir(p.To), 0o755); err != nil {
		return err
	}
	m, err := readMember(p.To)
	if err != nil {
		return err
	}
	if m == nil {
		m = &member{}
	}
	one := joinedServer{Server: Server{Name: p.Host}, Plan: p.ID}
	if one.Values, err = p.willBe(m.Salt, edits); err != nil {
		return err
	}
	text, err := json.Marshal(one)
	if err != nil {
		return err
	}
	own := joinedFile(p.To, p.Machine)
	if err := prepared(own+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return atomicfile.Replace(own+".new", own)
}

func joinedFile(share, machine string) string {
	return filepath.Join(joinedDir(share), machine+".json")
}

func forgetJoined(share string) error {
	own := joinedFile(share, Machine())
	for _, name := range []string{own + ".new", own} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(removeEmpty(joinedDir(share)), removeEmpty(filepath.Join(share, stateName)))
}

// joinedHosts are the hosts that have joined.
func joinedHosts(share string) ([]string, error) {
	var hosts []string
	all, err := joinedServers(share, "")
	for _, one := range all {
		hosts = append(hosts, one.Name)
	}
	return hosts, err
}

// joinedServers are the servers that have joined, but for that of one machine.
func joinedServers(share, but string) ([]Server, error) {
	all, err := filepath.Glob(filepath.Join(joinedDir(share), "*.json"))
	if err != nil {
		return nil, err
	}
	var servers []Server
	for _, file := range all {
		if filepath.Base(file) == but+".json" {
			continue
		}
		var one joinedServer
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &one)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		servers = append(servers, one.Server)
	}
	return servers, nil
}
