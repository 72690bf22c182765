package config

import (
	"path/filepath"
	"strings"
	"time"
)

// derive fills what was left out and has a default that must be looked up.
func (m machine) derive(c *Config, r *reader) {
	if c.Node.Name == "" && !r.bad["node.name"] {
		m.deriveName(c, r)
	}
	installed := c.file == "" || filepath.Dir(c.file) == m.etc
	if c.Node.StateDir == "" && !r.bad["node.state_dir"] {
		if installed {
			c.Node.StateDir = m.lib
		} else {
			base := filepath.Base(c.file)
			c.Node.StateDir = filepath.Join(filepath.Dir(c.file), strings.TrimSuffix(base, filepath.Ext(base))+".state")
			r.origins["node.state_dir"] = Origin{Name: "beside the file"}
		}
	}
	if c.HTTP.Socket == "" && !r.bad["http.socket"] {
		if installed {
			c.HTTP.Socket = filepath.Join(m.run, "agent.sock")
		} else {
			c.HTTP.Socket = filepath.Join(c.Node.StateDir, "agent.sock")
			r.origins["http.socket"] = Origin{Name: "in node.state_dir"}
		}
	}
	if c.Keystore.Encryption == "" && c.AppData.Layout == "ucd" && !r.bad["keystore.encryption"] {
		c.Keystore.Encryption = "conf/encryption.keystore"
		r.origins["keystore.encryption"] = Origin{Name: "of the layout ucd"}
	}
	for i := range c.Actions {
		a := &c.Actions[i]
		if a.HTTP != nil && a.HTTP.Method == "" {
			a.HTTP.Method = "GET"
		}
		if a.Command != nil && a.Dir == "" {
			a.Dir = c.Node.StateDir
		}
	}
	for i := range c.Hooks {
		h := &c.Hooks[i]
		if h.HTTP != nil && h.HTTP.Method == "" {
			h.HTTP.Method = "POST"
		}
		if h.Timeout == 0 {
			h.Timeout = 30 * time.Second
		}
	}
}

func (m machine) deriveName(c *Config, r *reader) {
	at := Origin{Name: "the host name"}
	r.origins["node.name"] = at
	host, err := m.hostname()
	if err != nil {
		r.fault(at, "node.name", "node.name is not set, and the host has no name: %v", err)
		return
	}
	c.Node.Name, _, _ = strings.Cut(strings.ToLower(host), ".")
}

// given tells whether some layer tried to set the key, well or badly.
func (r *reader) given(key string) bool {
	return r.bad[key] || r.missed[key] || r.origins[key].Source != FromDefault
}
