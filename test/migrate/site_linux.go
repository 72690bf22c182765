package migrate

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Layout is one way in which UrbanCode has kept its files.
type Layout string

// The layouts.
const (
	Folder   Layout = "folder"
	Upgraded Layout = "upgraded"
	Links    Layout = "links"
)

// then is the time of all files of a site that has been made, so that two are equal.
var then = time.Date(2024, 2, 29, 12, 34, 56, 123456000, time.UTC)

// Make builds an installation of a layout. Whatever is made twice is the same.
func (l Layout) Make(install string) error {
	items := install
	told, version := "server.appdata.dir=..\r\n", "version=7.0.1.1\n"
	switch l {
	case Folder:
		items = filepath.Join(install, "appdata")
		told = "server.appdata.dir: ../\\\r\n    appdata\r\n"
	case Links:
		told, version = "", "version=6.0.0.2\n"
	}
	files := map[string]string{
		filepath.Join(install, "conf/server/installed.properties"): "#Thu Nov 19 10:00:00 CET 2020\r\nencryption.keystore.alias=desedeKey1\r\n" + told +
			"! \xe9\r\nserver.url=https\\://app.example.org\\:8443\r\n",
		filepath.Join(install, "conf/installed.version"): version,
		filepath.Join(install, "bin/server"):             "#!/bin/sh\n",
	}
	for name, text := range map[string]string{
		"var/plugins/stream/plugin-1.zip":            strings.Repeat("PK plugin ", 3000),
		"var/repository/a/b/c/one":                   strings.Repeat("one ", 100_000),
		"var/repository/a/b/two":                     "",
		"var/repository/odd \xff name":               "bytes",
		"var/sa/auth":                                "sa",
		"logs/deployserver.out":                      "log\n",
		"conf/server/notification-templates/one.xml": "<t/>",
		"conf/encryption.keystore":                   "not to be seen",
		"patches/p1.jar":                             "patch",
		"conf/server/log4j.properties":               "log4j.rootLogger=INFO\n",
	} {
		files[filepath.Join(items, name)] = text
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return finishSite(install, items)
}

// finishSite adds what is not a plain file, and gives everything its time.
func finishSite(install, items string) error {
	at := func(name string) string { return filepath.Join(items, name) }
	steps := []error{
		os.MkdirAll(at("var/repository/empty"), 0o755),
		os.Link(at("var/plugins/stream/plugin-1.zip"), at("var/plugins/again.zip")),
		os.Symlink("stream/plugin-1.zip", at("var/plugins/latest")),
		os.Chmod(at("conf/encryption.keystore"), 0o600),
		os.Chmod(at("var/sa"), 0o2750),
		os.Chmod(filepath.Join(install, "bin/server"), 0o755),
		sparse(at("var/repository/sparse")),
	}
	for _, err := range steps {
		if err != nil {
			return err
		}
	}
	var all []string
	err := filepath.WalkDir(install, func(name string, _ fs.DirEntry, err error) error {
		all = append(all, name)
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(all)
	slices.Reverse(all)
	for _, name := range all {
		if info, err := os.Lstat(name); err != nil || info.Mode().Type() == fs.ModeSymlink {
			continue
		}
		if err := os.Chtimes(name, then, then); err != nil {
			return err
		}
	}
	return nil
}

func sparse(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte("end"), 10<<20); err != nil {
		return err
	}
	return f.Close()
}

// Look is what a tree looks like, path by path: all but numbers of inodes.
func Look(root string, except ...string) (map[string]string, error) {
	seen := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(root, name)
		if err != nil || relErr != nil {
			return fmt.Errorf("%w%w", err, relErr)
		}
		if slices.Contains(except, rel) {
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("%s: no stat", name)
		}
		text := fmt.Sprintf("%v %d:%d", info.Mode(), s.Uid, s.Gid)
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %d links %d %v %x", s.Nlink, info.Size(), info.ModTime().UTC(), sha256.Sum256(content))
			if s.Blocks*512 < info.Size()/2 {
				text += " sparse"
			}
		case info.Mode().Type() == fs.ModeSymlink:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			text += " -> " + target
		}
		seen[rel] = text
		return nil
	})
	return seen, err
}

// Differ says in what two looks differ.
func Differ(want, got map[string]string) []string {
	var wrong []string
	for path, w := range want {
		if g, ok := got[path]; !ok {
			wrong = append(wrong, path+" is missing")
		} else if g != w {
			wrong = append(wrong, fmt.Sprintf("%s is %s, and was %s", path, g, w))
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			wrong = append(wrong, path+" is new")
		}
	}
	slices.Sort(wrong)
	return wrong
}
