package config

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

const envPrefix = "COTERIE_"

// layers are checked values under the keys they belong to, weakest first. The
// file's are nested, the others flat.
type layers struct {
	file  map[string]any
	env   map[string]any
	flags map[string]any
}

// merge lays the layers over the defaults. Everything in them has the type of
// its field by now, so a decoding error is a fault of the table, not of a user.
func (l layers) merge() (*Config, error) {
	v := viper.New()
	for _, key := range Keys() {
		if key.Default == "" || key.derived || key.field == nil {
			continue
		}
		value, wrong := key.kind.parse(key.Default)
		if wrong != "" {
			return nil, fmt.Errorf("default of %s: %q %s", key.Name, key.Default, wrong)
		}
		v.SetDefault(key.Name, value)
	}
	if err := v.MergeConfigMap(l.file); err != nil {
		return nil, fmt.Errorf("lay the file over the defaults: %w", err)
	}
	for _, flat := range []map[string]any{l.env, l.flags} {
		for name, value := range flat {
			v.Set(name, value)
		}
	}
	c := new(Config)
	err := v.UnmarshalExact(c, func(d *mapstructure.DecoderConfig) {
		d.WeaklyTypedInput = false
		d.DecodeHook = nil
	})
	if err != nil {
		return nil, fmt.Errorf("decode the configuration: %w", err)
	}
	return c, nil
}

// environment is the variables that are set to something. An empty variable
// counts as unset, as viper and most shells' users have it.
type environment map[string]string

func parseEnvironment(entries []string) environment {
	if entries == nil {
		entries = os.Environ()
	}
	env := environment{}
	for _, entry := range entries {
		if name, value, ok := strings.Cut(entry, "="); ok && value != "" {
			env[name] = value
		}
	}
	return env
}

// readEnv gives the values that the environment sets. A COTERIE_ variable that
// starts like a group of keys and is none is a spelling mistake; others, such
// as the COTERIE_TOKEN that a job is given, are not ours to judge.
func (r *reader) readEnv(env environment) map[string]any {
	byVariable := map[string]Key{}
	var variables []string
	for _, key := range Keys() {
		if variable := key.Env(); variable != "" {
			byVariable[variable] = key
			variables = append(variables, variable)
		}
	}
	values := map[string]any{}
	for variable, value := range env {
		if !strings.HasPrefix(variable, envPrefix) {
			continue
		}
		at := Origin{Source: FromEnvironment, Name: variable}
		key, ok := byVariable[variable]
		switch {
		case ok:
			r.flat(values, at, key, value)
		case variable == envPrefix+"ACTIONS", variable == envPrefix+"HOOKS":
			name := strings.ToLower(strings.TrimPrefix(variable, envPrefix))
			r.fault(at, name, "%s can only be set in the file", name)
		case r.inGroup(variable):
			hint := ""
			if near := Nearest(strings.ToLower(variable), lower(variables)); near != "" {
				hint = "; did you mean " + strings.ToUpper(near) + "?"
			}
			r.fault(at, variable, "no key has this variable%s", hint)
		}
	}
	return values
}

func (r *reader) inGroup(variable string) bool {
	for group := range r.groups {
		if !strings.Contains(group, "[]") && strings.HasPrefix(variable, envPrefix+strings.ToUpper(group)+"_") {
			return true
		}
	}
	return false
}

func lower(words []string) []string {
	words = slices.Clone(words)
	for i := range words {
		words[i] = strings.ToLower(words[i])
	}
	return words
}

// flat reads one value that is written as a single text.
func (r *reader) flat(values map[string]any, at Origin, key Key, written string) {
	r.origins[key.Name] = at
	value, wrong := key.kind.parse(written)
	if wrong != "" {
		r.fault(at, key.Name, "%s: %s %s", key.Name, key.kind.quote(written), wrong)
		return
	}
	values[key.Name] = value
}

// FlagName is the flag that sets a key: database.pool_size is set by
// --database-pool-size.
func FlagName(key string) string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(key)
}

// RegisterFlags adds a flag for each key that has a variable, but for what may hold
// a secret: everybody on the machine can read a command line. They are not listed in
// the help of each command; the page of keys is their list.
func RegisterFlags(flags *pflag.FlagSet) {
	for _, key := range Keys() {
		if key.Env() != "" && !key.kind.quiet {
			name := FlagName(key.Name)
			flags.String(name, "", strings.TrimSuffix(key.Meaning, "."))
			flags.Lookup(name).Hidden = true
		}
	}
}

// Arguments are the flags of keys that were set on a command line, to be handed to
// another process.
func Arguments(flags *pflag.FlagSet) []string {
	var args []string
	for _, key := range Keys() {
		if f := flags.Lookup(FlagName(key.Name)); key.Env() != "" && f != nil && f.Changed {
			args = append(args, "--"+f.Name+"="+f.Value.String())
		}
	}
	return args
}

// readFlags gives the values that were set on the command line.
func (r *reader) readFlags(flags *pflag.FlagSet) map[string]any {
	values := map[string]any{}
	if flags == nil {
		return values
	}
	for _, key := range Keys() {
		if key.Env() == "" {
			continue
		}
		if f := flags.Lookup(FlagName(key.Name)); f != nil && f.Changed {
			r.flat(values, Origin{Source: FromFlag, Name: "--" + f.Name}, key, f.Value.String())
		}
	}
	return values
}
