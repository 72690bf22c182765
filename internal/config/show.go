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
		}
	}
	return all
}

func (c *Config) actionSettings(i int) []Setting {
	a := c.Actions[i]
	path := fmt.Sprintf("actions[%d]", i)
	values := []struct{ name, value string }{
		{".name", a.Name},
		{".command", show(a.Command)},
		{".user", a.User},
		{".dir", a.Dir},
		{".env", show(namesOnly(a.Env, "="))},
	}
	if a.HTTP != nil {
		values = append(values, []struct{ name, value string }{
			{".http.method", a.HTTP.Method},
			{".http.url", a.HTTP.URL},
			{".http.headers", show(namesOnly(a.HTTP.Headers, ":"))},
		}...)
	}
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
