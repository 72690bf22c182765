package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/bundle"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
)

// profileFlags say which files of a product belong into a bundle.
type profileFlags struct {
	name             string
	include, exclude []string
}

func (f *profileFlags) add(to *pflag.FlagSet, usual string) {
	said := ""
	if usual != "" {
		said = " (default " + usual + ")"
	}
	to.StringVar(&f.name, "profile", "", "`PROFILE` of the product: "+strings.Join(bundle.Profiles(), ", ")+", or a file"+said)
	to.StringArrayVar(&f.include, "include", nil, "take in what fits `GLOB` too, a path below the root; may be repeated")
	to.StringArrayVar(&f.exclude, "exclude", nil, "leave out what fits `GLOB`; may be repeated")
}

// read gives the profile that is meant.
func (f *profileFlags) read(usual string) (bundle.Profile, error) {
	name := f.name
	if name == "" {
		name = usual
	}
	p, known := bundle.ProfileOf(name)
	if !known {
		if !isFolder(name) && !strings.Contains(name, "/") && filepath.Ext(name) == "" {
			return p, usageProblem("no profile %q", name).hint(config.Nearest(name, bundle.Profiles()), "one of "+strings.Join(bundle.Profiles(), ", ")+", or a file")
		}
		var err error
		if p, err = readProfile(name); err != nil {
			return p, err
		}
	}
	if len(f.include) > 0 && slices.Equal(p.Include, []string{"."}) {
		p.Include = nil // everything is in already: what is said narrows it
	}
	p.Include, p.Exclude = append(p.Include, f.include...), append(p.Exclude, f.exclude...)
	if err := p.Check(); err != nil {
		return p, problem.New("COT-373", nil, "%v", err)
	}
	return p, nil
}

// profileFile is a profile as people write it.
type profileFile struct {
	Profile string   `yaml:"profile"`
	Extends string   `yaml:"extends"`
	Include []string `yaml:"include"`
	Exclude []string `yaml:"exclude"`
	Secret  []string `yaml:"secret"`
	Host    []string `yaml:"per_host"`
	Tier    []string `yaml:"tier_bound"`
	XML     []string `yaml:"xml"`
	Keys    []string `yaml:"properties"`
	Lines   []string `yaml:"lines"`
	Version string   `yaml:"version"`
}

// mostProfile is more than anybody writes by hand.
const mostProfile = 1 << 20

func readProfile(name string) (bundle.Profile, error) {
	f, err := os.Open(name)
	if err != nil {
		return bundle.Profile{}, problem.New("COT-373", nil, "profile: %v", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostProfile))
	if err != nil {
		return bundle.Profile{}, problem.New("COT-373", nil, "profile: %v", err)
	}
	p, err := parseProfile(text)
	if err != nil {
		return p, problem.New("COT-373", err, "profile %s", name)
	}
	if p.Name == "" {
		p.Name = strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	}
	return p, nil
}

// parseProfile reads a profile over the one that it extends, which is the generic one's
// classes where none is named.
func parseProfile(text []byte) (bundle.Profile, error) {
	var f profileFile
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return bundle.Profile{}, err
	}
	base := f.Extends
	if base == "" {
		base = "generic"
	}
	p, known := bundle.ProfileOf(base)
	if !known {
		return p, fmt.Errorf("extends %q; there are %s", base, strings.Join(bundle.Profiles(), ", "))
	}
	if len(f.Include) > 0 && f.Extends == "" {
		p.Include = nil
	}
	p.Name, p.Version = f.Profile, f.Version
	p.Include, p.Exclude = append(p.Include, f.Include...), append(p.Exclude, f.Exclude...)
	p.Secret, p.Host, p.Tier = append(p.Secret, f.Secret...), append(p.Host, f.Host...), append(p.Tier, f.Tier...)
	for _, of := range []struct {
		kind  string
		rules []string
	}{{"xml", f.XML}, {"property", f.Keys}, {"line", f.Lines}} {
		for _, text := range of.rules {
			m, err := appdata.ParseMerge(of.kind, text)
			if err != nil {
				return p, err
			}
			p.Merge = append(p.Merge, m)
		}
	}
	return p, p.Check()
}
