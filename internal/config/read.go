package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	mostBytes = 1 << 20 // of a file
	mostNodes = 100_000 // looked at, each time an alias is followed
)

// reader turns texts into typed values by the table of keys, remembers where
// each value stands, and collects what is wrong.
type reader struct {
	file    string
	keys    map[string]Key  // by pattern: actions[].name
	groups  map[string]bool // the patterns above them: actions[], actions[].http
	origins map[string]Origin
	bad     map[string]bool // keys whose fault is already told
	missed  map[string]bool // keys that were probably meant by unknown ones
	unread  bool            // the file is not YAML: what it would have said is not known
	faults  []Fault
	nodes   int
}

func newReader(file string) *reader {
	r := &reader{
		file:    file,
		keys:    map[string]Key{},
		groups:  map[string]bool{},
		origins: map[string]Origin{},
		bad:     map[string]bool{},
		missed:  map[string]bool{},
	}
	for _, k := range Keys() {
		r.keys[k.Name] = k
		for i, char := range k.Name {
			if char == '.' {
				r.groups[k.Name[:i]] = true
			}
		}
	}
	return r
}

func (r *reader) fault(at Origin, key, format string, args ...any) {
	r.bad[key] = true
	r.faults = append(r.faults, Fault{Origin: at, Key: key, Text: fmt.Sprintf(format, args...)})
}

// at is where a node of the file stands.
func (r *reader) at(n *yaml.Node) Origin {
	return Origin{Source: FromFile, Name: r.file, Line: n.Line, Column: n.Column}
}

// readFile gives the values of the file, nested as viper wants them.
func (r *reader) readFile() (map[string]any, error) {
	f, err := os.Open(r.file)
	if err != nil {
		return nil, &Error{Places: []Place{{r.file, absentOr(err)}}}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", r.file, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", r.file, err)
	}
	whole := Origin{Source: FromFile, Name: r.file}
	// Windows keeps rights elsewhere and always reports write bits.
	if info.Mode().Perm()&0o002 != 0 && runtime.GOOS != "windows" {
		r.fault(whole, "", "everybody may write this file (mode %04o), and it says what jobs run: chmod o-w %s", info.Mode().Perm(), r.file)
	}
	if len(data) > mostBytes {
		r.fault(whole, "", "is longer than %d bytes", mostBytes)
		return nil, nil
	}
	return r.readYAML(data), nil
}

func absentOr(err error) string {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		return cause.Err.Error()
	}
	return err.Error()
}

// readYAML walks the one document of data by the table of keys.
func (r *reader) readYAML(data []byte) map[string]any {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return map[string]any{}
	}
	if err != nil {
		r.syntax(err)
		return nil
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		r.fault(r.at(&second), "", "a second document begins here; only one is read")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
	}
	if len(document.Content) == 0 || isNull(document.Content[0]) {
		return map[string]any{}
	}
	return r.mapping(document.Content[0], "", "")
}

// syntax tells what the YAML library could not read. It knows the line only.
func (r *reader) syntax(err error) {
	at := Origin{Source: FromFile, Name: r.file}
	words := strings.TrimPrefix(err.Error(), "yaml: ")
	if n, scanErr := fmt.Sscanf(words, "line %d:", &at.Line); n == 1 && scanErr == nil {
		at.Column = 1
		_, words, _ = strings.Cut(words, ": ")
	}
	r.unread = true
	r.fault(at, "", "this is not YAML: %s", words)
}
