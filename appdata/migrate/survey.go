package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coterie-ha/coterie/appdata"
)

// found is what lies in the old folders that a share may be unable to hold.
type found struct {
	files, folders, bytes int64
	links                 int64    // symbolic
	hardLinks             []string // quoted paths, as all below
	special               []string
	linksOut              []string // lead out of the item, or are absolute within it
	attributes            []string
	lists                 bool // access-control lists are among them
	unreadable            []string
	names                 map[string]nameClass // by what is peculiar about them
	owners                map[[2]uint32]string
	collide               []string
}

// nameClass is a peculiarity of names, with one name that has it.
type nameClass struct{ path, name string }

const sampleSize = 5

func sample(to *[]string, path string) {
	if len(*to) < sampleSize {
		*to = append(*to, appdata.Quote(path))
	}
}

// survey counts what is in the items.
func (p *Plan) survey(ctx context.Context) (*found, error) {
	f := &found{names: map[string]nameClass{}, owners: map[[2]uint32]string{}}
	for i := range p.Items {
		one := &p.Items[i]
		if !one.Present {
			continue
		}
		root := p.source(one.Path)
		if one.Link != "" {
			real, err := filepath.EvalSymlinks(root)
			if err != nil {
				return nil, err
			}
			root = real
		}
		before := *f
		if err := f.walk(ctx, root, one.Path); err != nil {
			return nil, fmt.Errorf("look at %s: %w", root, err)
		}
		one.Files, one.Folders, one.Bytes = f.files-before.files, f.folders-before.folders, f.bytes-before.bytes
	}
	return f, nil
}

func (f *found) walk(ctx context.Context, root, item string) error {
	folded := map[string]string{}
	dir := ""
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rel, relErr := filepath.Rel(root, name)
		if relErr != nil {
			return relErr
		}
		path := filepath.Join(item, rel)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				sample(&f.unreadable, path)
			}
			return nil
		}
		if name != root && passes(d.Name()) {
			return nil
		}
		info, err := d.Info()
		if name == root && err == nil {
			info, err = os.Stat(root)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile
		}
		if err != nil {
			sample(&f.unreadable, path)
			return nil
		}
		if at := filepath.Dir(name); at != dir {
			dir, folded = at, map[string]string{}
		}
		if other, ok := folded[strings.ToLower(d.Name())]; ok && name != root {
			sample(&f.collide, filepath.Join(filepath.Dir(path), other)+" and "+d.Name())
		}
		folded[strings.ToLower(d.Name())] = d.Name()
		f.see(root, name, path, info)
		return nil
	})
}

// see notes one entry.
func (f *found) see(root, name, path string, info fs.FileInfo) {
	s := factsOf(info)
	f.owners[[2]uint32{s.uid, s.gid}] = path
	for _, peculiar := range peculiarities(filepath.Base(name)) {
		if _, ok := f.names[peculiar]; !ok {
			f.names[peculiar] = nameClass{path, filepath.Base(name)}
		}
	}
	switch {
	case info.IsDir():
		f.folders++
	case info.Mode().IsRegular():
		f.files++
		f.bytes += info.Size()
		if s.links > 1 {
			sample(&f.hardLinks, path)
		}
		if !mayRead(name) {
			sample(&f.unreadable, path)
		}
	case info.Mode().Type() == fs.ModeSymlink:
		f.files++
		f.links++
		if target, err := os.Readlink(name); err == nil && leadsOut(root, name, target) {
			sample(&f.linksOut, path+" -> "+target)
		}
		return
	default:
		sample(&f.special, path)
		return
	}
	if hasAttributes(name) {
		sample(&f.attributes, path)
		f.lists = f.lists || hasList(name)
	}
}

// leadsOut says whether a link would mean something else in a copy of the tree.
func leadsOut(root, name, target string) bool {
	return filepath.IsAbs(target) || !within(filepath.Join(filepath.Dir(name), target), root)
}

// passes are names that a network file system gives to files that are deleted and
// still open: they are gone as soon as they are closed.
func passes(name string) bool {
	return strings.HasPrefix(name, ".nfs0") || strings.HasPrefix(name, ".fuse_hidden")
}

// peculiarities are the reasons for which a share might refuse a name.
func peculiarities(name string) []string {
	var all []string
	if strings.ToValidUTF8(name, "") != name {
		all = append(all, "is not UTF-8")
	}
	for _, c := range `<>:"\|?*` {
		if strings.ContainsRune(name, c) {
			all = append(all, "has "+string(c))
		}
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		all = append(all, "has a control character")
	}
	if strings.HasSuffix(name, " ") || strings.HasSuffix(name, ".") && name != "." && name != ".." {
		all = append(all, "ends with a dot or a blank")
	}
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "LPT1", "LPT2", "LPT3":
		all = append(all, "is the name of a device of Windows")
	}
	if len(name) > 143 {
		all = append(all, "is longer than 143 bytes")
	}
	return all
}
