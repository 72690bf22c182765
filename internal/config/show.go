package config

import (
	"fmt"
	"strings"
	"time"
)

// Setting is one value in force, as "config show" lists it.
type Setting struct {
	Key    string
	Value  string
	Origin Origin
}

// Origin tells where the value of a key comes from; elements of lists are
// written actions[0].command.
func (c *Config) Origin(key string) Origin { return c.origins[key] }

// Settings are all values in force, in the order of the table. What an action
// gives to its program or sends to a server is named but not shown.
func (c *Config) Settings() []Setting {
	var all []Setting
	for _, key := range Keys() {
		switch {
		case key.field != nil:
			all = append(all, Setting{key.Name, show(key.field(c)), c.Origin(key.Name)})
		case key.Name == "actions[].name":
			for i := range c.Actions {
				all = append(all, c.actionSettings(i)...)
			}
		case key.Name == "hooks[].name":
			for i := range c.Hooks {
				all = append(all, c.hookSettings(i)...)
			}
		}
	}
	return all
}

func (c *Config) actionSettings(i int) []Setting {
	a := c.Actions[i]
	path := fmt.Sprintf("actions[%d]", i)
	values := []named{
		{".name", a.Name},
		{".command", show(a.Command)},
		{".user", a.User},
		{".dir", a.Dir},
		{".env", show(namesOnly(a.Env, "="))},
		{".params", show(a.Params)},
		{".sha256", a.SHA256},
	}
	if a.HTTP != nil {
		values = append(values, []named{
			{".http.method", a.HTTP.Method},
			{".http.url", a.HTTP.URL},
			{".http.headers", show(namesOnly(a.HTTP.Headers, ":"))},
		}...)
	}
	if a.SQL != nil {
		values = append(values, named{".sql.statement", a.SQL.Statement}, named{".sql.role", a.SQL.Role})
	}
	return c.shown(path, values)
}

// hookSettings are those of a hook.
func (c *Config) hookSettings(i int) []Setting {
	h := c.Hooks[i]
	values := []named{
		{".name", h.Name}, {".on", show(h.On)}, {".jobs", show(h.Jobs)}, {".files", show(h.Files)},
		{".command", show(h.Command)}, {".user", h.User}, {".env", show(namesOnly(h.Env, "="))}, {".timeout", show(h.Timeout)},
	}
	if h.HTTP != nil {
		values = append(values, named{".http.method", h.HTTP.Method}, named{".http.url", h.HTTP.URL},
			named{".http.headers", show(namesOnly(h.HTTP.Headers, ":"))})
	}
	return c.shown(fmt.Sprintf("hooks[%d]", i), values)
}

// named is a value of a member of a list.
type named struct{ name, value string }

// shown are the values that are there.
func (c *Config) shown(path string, values []named) []Setting {
	var all []Setting
	for _, v := range values {
		if v.value != "" && v.value != "[]" {
			all = append(all, Setting{path + v.name, v.value, c.Origin(path + v.name)})
		}
	}
	return all
}

// namesOnly keeps what stands before sep: values may be secrets.
func namesOnly(entries []string, sep string) []string {
	var names []string
	for _, entry := range entries {
		name, _, _ := strings.Cut(entry, sep)
		names = append(names, name+sep+"...")
	}
	return names
}

func show(value any) string {
	switch v := value.(type) {
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	case time.Duration:
		return shortDuration(v)
	}
	return fmt.Sprint(value)
}

// shortDuration writes 10m where Duration.String writes 10m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
