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

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// joins are the properties that a further server gets besides the folder.
func (p Profile) joins(share string) (map[string]string, error) {
	want := maps.Clone(p.Join.Set)
	if want == nil {
		want = map[string]string{}
	}
	if len(p.Join.Copy) == 0 {
		return want, nil
	}
	text, err := os.ReadFile(memberPath(share))
	if errors.Is(err, fs.ErrNotExist) {
		return want, nil // the first server was not moved by us: it is told as an objection
	}
	if err != nil {
		return nil, err
	}
	var m member
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", memberPath(share), err)
	}
	for _, key := range p.Join.Copy {
		if value, ok := m.Properties[key]; ok {
			want[key] = value
		}
	}
	return want, nil
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
	if _, err := os.Stat(memberPath(p.To)); errors.Is(err, fs.ErrNotExist) && len(p.Profile.Join.Copy) > 0 {
		p.object(o, Objection{Word: "member", Text: fmt.Sprintf("the share does not say what the first server has for %v: see that they are equal", p.Profile.Join.Copy)})
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

// tellJoined says on the share that this host uses it.
func (r *run) tellJoined() error {
	if err := os.MkdirAll(joinedDir(r.plan.To), 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("{\"host\": %q, \"plan\": %q}\n", r.plan.Host, r.plan.ID)
	return atomicfile.Write(filepath.Join(joinedDir(r.plan.To), r.plan.Machine+".json"), []byte(text), 0o644)
}

func forgetJoined(share string) error {
	if err := os.Remove(filepath.Join(joinedDir(share), Machine()+".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(removeEmpty(joinedDir(share)), removeEmpty(filepath.Join(share, stateName)))
}

// joinedHosts are the hosts that have joined.
func joinedHosts(share string) ([]string, error) {
	all, err := filepath.Glob(filepath.Join(joinedDir(share), "*.json"))
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, file := range all {
		var one struct {
			Host string `json:"host"`
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &one)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		hosts = append(hosts, one.Host)
	}
	return hosts, nil
}
