package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// HookKinds are what hooks tell.
func HookKinds() []string { return []string{"failed", "missed", "lost", "recovered", "long_running"} }

// checkHooks judges the list of hooks.
func (r *reader) checkHooks(c *Config, env environment) {
	first := map[string]int{}
	for i := range c.Hooks {
		h := &c.Hooks[i]
		at := fmt.Sprintf("hooks[%d]", i)
		if r.bad[at] {
			continue
		}
		r.judge(at+".name", checkName(h.Name))
		if before, twice := first[h.Name]; twice && h.Name != "" {
			r.judge(at+".name", fmt.Sprintf("%q is already the name of hooks[%d]", h.Name, before))
		} else {
			first[h.Name] = i
		}
		for _, kind := range h.On {
			if !slices.Contains(HookKinds(), kind) {
				r.judge(at+".on", fmt.Sprintf("has %s; there are %s", text.quote(kind), strings.Join(HookKinds(), ", ")))
			}
		}
		for _, pattern := range h.Jobs {
			if _, err := path.Match(pattern, ""); err != nil {
				r.judge(at+".jobs", fmt.Sprintf("has %s, which is no pattern", text.quote(pattern)))
			}
		}
		r.checkFiles(h, at)
		r.checkTelling(h, at, env)
	}
}

// checkFiles judges the patterns of a hook that is for files.
func (r *reader) checkFiles(h *Hook, at string) {
	if len(h.Files) > 0 && len(h.On)+len(h.Jobs) > 0 {
		r.judge(at+".files", "stands beside on or jobs; a hook is for files or for runs")
	}
	for _, pattern := range h.Files {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" || path.Clean(pattern) != pattern || path.IsAbs(pattern) || strings.HasPrefix(pattern, "..") {
			r.judge(at+".files", fmt.Sprintf("has %s, which is no pattern of a path in the share, such as conf/*.keystore", text.quote(pattern)))
		}
	}
}

func (r *reader) checkTelling(h *Hook, at string, env environment) {
	hasCommand := h.Command != nil || r.given(at+".command")
	switch {
	case hasCommand && h.HTTP != nil:
		r.judge(at, "has both command and http; keep one")
	case hasCommand && len(h.Command) == 0:
		r.judge(at+".command", "is empty")
	case hasCommand:
		r.judge(at+".command", checkProgram(h.Command[0], env["PATH"]))
		r.checkEnv(h.Env, at)
	case h.HTTP != nil:
		r.checkRequest(h.HTTP, at+".http")
	case !r.bad[at+".http"]:
		r.judge(at, "has neither command nor http; say how it tells")
	}
}
