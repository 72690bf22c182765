package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	fileVariable = "COTERIE_CONFIG"
	fileName     = "coterie.yaml"
)

// find is the file to read, or none and the places where one was looked for. A
// file that somebody named must be there; the usual places may be empty. What
// is there but cannot be read ends the search: another file further down would
// be a surprise.
func (m machine) find(flag string, env environment) (file string, places []Place, err error) {
	named := func(by, path string) (string, []Place, error) {
		path, err := filepath.Abs(path)
		if err != nil {
			return "", nil, fmt.Errorf("find configuration %s: %w", path, err)
		}
		if why := absent(path); why != "" {
			return "", nil, &Error{Places: []Place{{by + " " + path, why}}}
		}
		return path, nil, nil
	}
	if flag != "" {
		return named("-c", flag)
	}
	places = append(places, Place{"-c", "not given"})
	if path := env[fileVariable]; path != "" {
		return named("$"+fileVariable, path)
	}
	places = append(places, Place{"$" + fileVariable, "not set"})

	usual := []string{filepath.Join(m.etc, fileName)}
	if dir := userConfigDir(env); dir != "" {
		usual = append(usual, filepath.Join(dir, "coterie", fileName))
	} else {
		places = append(places, Place{"$XDG_CONFIG_HOME", "neither it nor $HOME is set"})
	}
	for _, path := range usual {
		_, err := os.Stat(path)
		if err == nil {
			return path, nil, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, &Error{Places: append(places, Place{path, absent(path)})}
		}
		places = append(places, Place{path, absent(path)})
	}
	return "", places, nil
}

func userConfigDir(env environment) string {
	if dir := env["XDG_CONFIG_HOME"]; filepath.IsAbs(dir) {
		return dir
	}
	if home := env["HOME"]; home != "" {
		return filepath.Join(home, ".config")
	}
	return ""
}

// absent says in words why there is no file at path, or nothing if there is.
func absent(path string) string {
	info, err := os.Stat(path)
	var cause *fs.PathError
	switch {
	case err == nil && info.IsDir():
		return "is a folder"
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	case errors.As(err, &cause):
		return cause.Err.Error()
	}
	return err.Error()
}
