package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// checkActions judges the list of actions.
func (r *reader) checkActions(c *Config, env environment) {
	first := map[string]int{}
	for i := range c.Actions {
		a := &c.Actions[i]
		path := fmt.Sprintf("actions[%d]", i)
		if r.bad[path] {
			continue
		}
		if a.Name != "" || !r.missed[path+".name"] {
			r.judge(path+".name", checkName(a.Name))
		}
		if strings.HasPrefix(a.Name, "coterie.") {
			r.judge(path+".name", "begins with coterie., as only our own actions do")
		}
		if before, twice := first[a.Name]; twice && a.Name != "" {
			r.judge(path+".name", fmt.Sprintf("%q is already the name of actions[%d]", a.Name, before))
		} else {
			first[a.Name] = i
		}
		r.checkWhat(a, path, env)
	}
}

// judge tells that something is wrong with an element, once, at the nearest
// place in the file that is known.
func (r *reader) judge(path, wrong string) {
	if wrong == "" || r.bad[path] {
		return
	}
	at := path
	for r.origins[at] == (Origin{}) && strings.ContainsAny(at, ".[") {
		at = at[:strings.LastIndexAny(at, ".[")]
	}
	r.fault(r.origins[at], path, "%s %s", path, wrong)
}

func (r *reader) checkWhat(a *Action, path string, env environment) {
	var what []string
	if a.Command != nil || r.given(path+".command") {
		what = append(what, "command")
	}
	if a.HTTP != nil {
		what = append(what, "http")
	}
	if a.SQL != nil {
		what = append(what, "sql")
	}
	names := r.checkParams(a, path)
	switch {
	case len(what) > 1:
		r.judge(path, "has both "+strings.Join(what, " and ")+"; keep one")
	case len(what) == 0:
		if !r.bad[path+".http"] && !r.bad[path+".sql"] {
			r.judge(path, "has neither command nor http nor sql; say what it does")
		}
	case what[0] == "command":
		r.checkCommand(a, path, env)
		r.checkFilled(path+".command", names, a.Command[min(1, len(a.Command)):]...)
	case what[0] == "http":
		r.onlyForCommands(path, "http")
		r.checkRequest(a.HTTP, path+".http")
		r.checkFilled(path+".http", names, a.HTTP.URL)
	default:
		r.onlyForCommands(path, "sql")
		if strings.TrimSpace(a.SQL.Statement) == "" {
			r.judge(path+".sql.statement", "is empty")
		}
		r.checkFilled(path+".sql.statement", names, a.SQL.Statement)
	}
}

// onlyForCommands refuses what has no meaning for other kinds of actions.
func (r *reader) onlyForCommands(path, kind string) {
	for _, field := range []string{"user", "dir", "env", "sha256", "limits"} {
		if r.given(path + "." + field) {
			r.judge(path+"."+field, "has no meaning for "+kind)
		}
	}
}

// checkFilled wants a parameter for each name in braces.
func (r *reader) checkFilled(path string, names []string, texts ...string) {
	for _, text := range texts {
		for _, unknown := range unknownPlaceholders(text, names) {
			r.judge(path, fmt.Sprintf("has %s, and params has no %s", unknown, strings.Trim(unknown, "{}")))
		}
	}
}

func (r *reader) checkCommand(a *Action, path string, env environment) {
	if len(a.Command) == 0 {
		if !r.missed[path+".command"] {
			r.judge(path+".command", "is empty")
		}
		return
	}
	r.judge(path+".command", checkProgram(a.Command[0], env["PATH"]))
	if a.Dir != "" {
		r.judge(path+".dir", checkAbsolute(a.Dir))
	}
	if a.User != strings.TrimSpace(a.User) || strings.ContainsAny(a.User, ": \t/") || (a.User == "" && r.given(path+".user")) {
		r.judge(path+".user", fmt.Sprintf("%s is not the name of a user", text.quote(a.User)))
	}
	if a.SHA256 != "" && !isDigest(a.SHA256) {
		r.judge(path+".sha256", "is not 64 hexadecimal digits, as sha256sum writes them")
	}
	if a.SHA256 != "" && !filepath.IsAbs(a.Command[0]) {
		r.judge(path+".sha256", "needs the whole path of the program in command")
	}
	for name, value := range map[string]int{
		"open_files": a.Limits.OpenFiles, "processes": a.Limits.Processes, "file_mb": a.Limits.FileMB, "memory_mb": a.Limits.MemoryMB,
	} {
		if value < 0 {
			r.judge(path+".limits."+name, "is negative")
		}
	}
	r.checkEnv(a.Env, path)
}

func isDigest(text string) bool {
	bytes, err := hex.DecodeString(text)
	return err == nil && len(bytes) == sha256.Size
}

// checkEnv judges what a program gets in its environment.
func (r *reader) checkEnv(entries []string, path string) {
	var names []string
	for _, entry := range entries {
		name, _, ok := strings.Cut(entry, "=")
		switch {
		case !ok || !isVariable(name):
			// The whole entry may be a secret that lost its name.
			r.judge(path+".env", fmt.Sprintf("member %d is not NAME=value", len(names)))
		case strings.HasPrefix(name, envPrefix):
			r.judge(path+".env", fmt.Sprintf("has %s; COTERIE_ variables are given by the agent", name))
		case slices.Contains(names, name):
			r.judge(path+".env", fmt.Sprintf("has %s twice", name))
		}
		names = append(names, name)
	}
}

func isVariable(name string) bool {
	for i, char := range name {
		letter := char >= 'a' && char <= 'z' || char >= 'A' && char <= 'Z' || char == '_'
		if !letter && (i == 0 || char < '0' || char > '9') {
			return false
		}
	}
	return name != ""
}

// checkProgram wants an absolute path, which need not exist on every node that
// shares the file, or a name that PATH finds.
func checkProgram(program, path string) string {
	switch {
	case program == "":
		return "has no program"
	case strings.HasPrefix(program, "~"):
		return fmt.Sprintf("%s begins with ~, which only a shell knows; write the whole path", text.quote(program))
	case filepath.IsAbs(program):
		return ""
	case strings.ContainsAny(program, `/\`):
		return fmt.Sprintf("%s is a relative path; write the whole path", text.quote(program))
	case strings.ContainsAny(program, " \t"):
		return fmt.Sprintf("%s has a blank: program and arguments are members of their own, [%s]",
			text.quote(program), strings.Join(strings.Fields(program), ", "))
	}
	for _, dir := range filepath.SplitList(path) {
		// An empty or relative entry means the current folder, which changes.
		if !filepath.IsAbs(dir) {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, program)); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return ""
		}
	}
	return fmt.Sprintf("%s is not found in PATH; write the whole path", text.quote(program))
}

func (r *reader) checkRequest(q *Request, path string) {
	r.judge(path+".url", checkURL(q.URL))
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	r.judge(path+".method", checkOneOf(methods...)(q.Method))
	if (q.Expect != 0 || r.given(path+".expect")) && (q.Expect < 100 || q.Expect > 599) {
		r.judge(path+".expect", fmt.Sprintf("is %d; a status is 100 to 599", q.Expect))
	}
	for name, rule := range map[string]string{"success": q.Success, "failure": q.Failure} {
		if field, _, ok := strings.Cut(rule, "="); rule != "" && (!ok || field == "") {
			r.judge(path+"."+name, "is not FIELD=VALUE, such as state=done")
		}
	}
	if q.Poll > 0 && q.Success+q.Failure == "" {
		r.judge(path+".poll", "needs success or failure, or it would never end")
	}
	for i, header := range q.Headers {
		name, value, ok := strings.Cut(header, ":")
		if !ok || !isToken(name) || strings.ContainsAny(value, "\r\n") {
			r.judge(path+".headers", fmt.Sprintf("member %d is not \"Name: value\"", i))
		}
	}
}

// checkURL never repeats the address, in case it has a password.
func checkURL(address string) string {
	if address == "" {
		return "is needed"
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "is not a URL"
	case u.User != nil:
		return "has a user or password in it; send a header instead"
	case u.Scheme != "http" && u.Scheme != "https":
		return "must begin with http:// or https://"
	case u.Hostname() == "":
		return "names no host"
	case u.Fragment != "":
		return "has a fragment (#), which is never sent"
	}
	return ""
}

func isToken(name string) bool {
	for _, char := range name {
		if char <= ' ' || char > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, char) {
			return false
		}
	}
	return name != ""
}
