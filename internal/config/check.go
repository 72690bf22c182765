package config

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// check holds the finished configuration against the rules. What could not even
// be read has been told already and is left alone.
func (r *reader) check(c *Config, env environment) {
	for _, key := range Keys() {
		if key.field == nil || r.bad[key.Name] {
			continue
		}
		value := key.field(c)
		if isZero(value) && (key.Default == "" || key.derived) {
			if key.Needed && !r.missed[key.Name] && !r.unread {
				r.fault(r.origins[key.Name], key.Name, "%s is needed: %s", key.Name, lowerFirst(key.Meaning))
			}
			continue
		}
		if key.check == nil {
			continue
		}
		if wrong := key.check(value); wrong != "" {
			r.fault(r.origins[key.Name], key.Name, "%s %s", key.Name, wrong)
		}
	}
	r.checkTogether(c)
	r.checkActions(c, env)
	r.checkHooks(c, env)
}

// checkTogether judges values by one another.
func (r *reader) checkTogether(c *Config) {
	if !r.bad["node.state_dir"] && !r.bad["appdata.path"] && inside(c.Node.StateDir, c.AppData.Path) {
		r.fault(r.origins["node.state_dir"], "node.state_dir",
			"node.state_dir %q lies in appdata.path, which all nodes share; it must be a local folder", c.Node.StateDir)
	}
	if wrong := c.Equal.wrong(); wrong != "" {
		r.fault(r.origins["equal.root"], "equal.root", "equal.root %s", wrong)
	}
	if !r.bad["equal.root"] && !r.bad["appdata.path"] && c.Equal.Root != "" && inside(c.Equal.Root, c.AppData.Path) {
		r.fault(r.origins["equal.root"], "equal.root", "equal.root %q lies in appdata.path, which all nodes share; it must be a local folder", c.Equal.Root)
	}
	if wrong := c.License.wrong(); wrong != "" {
		r.fault(r.origins["license.source"], "license.source", "license.source %q %s", c.License.Source, wrong)
	}
	if wrong := c.Keystore.wrong(); wrong != "" {
		r.fault(r.origins["keystore.reload"], "keystore.reload", "keystore.reload %q %s", c.Keystore.Reload, wrong)
	}
	if wrong := c.Renewal.wrong(); wrong != "" {
		r.fault(r.origins["renewal.command"], "renewal.command", "renewal.command %s", wrong)
	}
	if key, wrong := c.Trust.wrong(c.Keystore); wrong != "" {
		r.fault(r.origins[key], key, "%s", wrong)
	}
	if c.App.Version != "" && c.App.VersionFile != "" {
		r.fault(r.origins["app.version_file"], "app.version_file", "app.version_file and app.version are both set; keep one")
	}
}

// inside tells whether path is folder or lies in it.
func inside(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return folder != "" && err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func isZero(value any) bool {
	switch v := value.(type) {
	case string:
		return v == ""
	case []string:
		return len(v) == 0
	}
	return false
}

func lowerFirst(sentence string) string {
	return strings.ToLower(sentence[:1]) + strings.TrimSuffix(sentence[1:], ".")
}

const nameRule = "allowed: a-z 0-9 . -, at most 63"

// checkName is the rule for names of clusters, nodes and actions: they become
// parts of lease names, labels and file names.
func checkName(value any) string {
	name := value.(string)
	switch {
	case name == "":
		return "is empty"
	case len(name) > 63:
		return fmt.Sprintf("%s is %d long; %s", text.quote(name), len(name), nameRule)
	case strings.Contains(name, " "):
		return fmt.Sprintf("%q has a blank; %s", name, nameRule)
	}
	for _, char := range name {
		switch {
		case char >= 'a' && char <= 'z', char >= '0' && char <= '9', char == '.', char == '-':
		case char >= 'A' && char <= 'Z':
			return fmt.Sprintf("%q has the capital %c; %s", name, char, nameRule)
		default:
			return fmt.Sprintf("%q has the character %q; %s", name, char, nameRule)
		}
	}
	if strings.Trim(name, ".-") != name {
		return fmt.Sprintf("%q begins or ends with a dot or a hyphen", name)
	}
	return ""
}

// checkPlaces takes absolute paths, and folders below appdata.path.
func checkPlaces(value any) string {
	for _, place := range value.([]string) {
		if wrong := checkAbsolute(place); wrong != "" && !filepath.IsLocal(place) || strings.ContainsAny(place, "$\x00\n") {
			return fmt.Sprintf("has %s, which is neither an absolute path nor one below appdata.path", text.quote(place))
		}
	}
	return ""
}

func checkEndpoints(value any) string {
	for _, address := range value.([]string) {
		host, port, err := net.SplitHostPort(address)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
			return fmt.Sprintf("has %s, which is no host:port", text.quote(address))
		}
	}
	return ""
}

// checkFolder is checkFolders for one that may be left out.
func checkFolder(value any) string {
	if folder := value.(string); folder != "" {
		return checkFolders([]string{folder})
	}
	return ""
}

func checkWords(value any) string {
	for _, word := range value.([]string) {
		if word == "" {
			return "has an empty member"
		}
		for _, char := range word {
			if char <= ' ' || char == ',' || char > '~' {
				return fmt.Sprintf("has %q with the character %q; write plain words", word, char)
			}
		}
	}
	return ""
}

func checkTags(value any) string {
	tags := value.([]string)
	for i, tag := range tags {
		if slices.Contains(tags[:i], tag) {
			return fmt.Sprintf("has %q twice", tag)
		}
	}
	return checkWords(value)
}

func checkAddress(value any) string {
	address := value.(string)
	if _, err := netip.ParseAddr(address); err == nil {
		return ""
	}
	if host, port, err := net.SplitHostPort(address); err == nil {
		return fmt.Sprintf("%q has a port; write %q without %q", address, host, ":"+port)
	}
	for label := range strings.SplitSeq(address, ".") {
		if !isHostLabel(label) {
			return fmt.Sprintf("%q is neither an IP address nor a host name", address)
		}
	}
	return ""
}

func isHostLabel(label string) bool {
	for _, char := range label {
		letter := char >= 'a' && char <= 'z' || char >= 'A' && char <= 'Z' || char >= '0' && char <= '9'
		if !letter && char != '-' && char != '_' {
			return false
		}
	}
	return label != "" && len(label) <= 63
}

// checkAbsolute is the rule for paths: nothing that a shell would have to
// unfold, nothing that depends on where the agent was started.
func checkAbsolute(value any) string {
	path := value.(string)
	switch {
	case path == "":
		return "is empty"
	case strings.HasPrefix(path, "~"):
		return fmt.Sprintf("%q begins with ~, which only a shell knows; write the whole path", path)
	case strings.Contains(path, "$"):
		return fmt.Sprintf("%q has a $; variables are not unfolded, write the whole path", path)
	case strings.ContainsFunc(path, func(char rune) bool { return char < ' ' || char == 0x7f }):
		return fmt.Sprintf("%q has a control character", path)
	case !filepath.IsAbs(path):
		return fmt.Sprintf("%q is not an absolute path", path)
	}
	return ""
}

func checkSharedPath(value any) string {
	if wrong := checkAbsolute(value); wrong != "" {
		return wrong
	}
	if path := filepath.Clean(value.(string)); path == filepath.Dir(path) {
		return fmt.Sprintf("%q is the root of the file system, not a shared folder", path)
	}
	return ""
}

// checkPasswordFile does not ask whether the file can be read: the command line
// shares this configuration with people who may not.
func checkPasswordFile(value any) string {
	if wrong := checkAbsolute(value); wrong != "" {
		return wrong
	}
	path := value.(string)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return ""
	case !info.Mode().IsRegular():
		return fmt.Sprintf("%q is not a file", path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0:
		return fmt.Sprintf("%q is open to everybody (mode %04o): chmod o= %s", path, info.Mode().Perm(), path)
	}
	return ""
}

func checkOneOf(words ...string) func(any) string {
	return func(value any) string {
		word := value.(string)
		if slices.Contains(words, word) {
			return ""
		}
		wrong := fmt.Sprintf("%s is none of %s", text.quote(word), strings.Join(words, ", "))
		if near := Nearest(word, words); near != "" {
			wrong += fmt.Sprintf("; did you mean %q?", near)
		}
		return wrong
	}
}

func checkPositive(value any) string {
	if value.(time.Duration) <= 0 {
		return "must be longer than 0"
	}
	return ""
}

func checkAtLeastSecond(value any) string {
	if d := value.(time.Duration); d < time.Second {
		return fmt.Sprintf("is %v; at least 1s", d)
	}
	return ""
}

func checkWeight(value any) string {
	if n := value.(int); n < 1 || n > 100 {
		return fmt.Sprintf("is %d; 1 to 100", n)
	}
	return ""
}

func checkMaxRuns(value any) string {
	if n := value.(int); n < 0 || n > 10000 {
		return fmt.Sprintf("is %d; 1 to 10000, or 0 for any number", n)
	}
	return ""
}

func checkPoolSize(value any) string {
	if n := value.(int); n < 2 || n > 100 {
		return fmt.Sprintf("is %d; 2 to 100 (one connection is the heartbeat's own)", n)
	}
	return ""
}

func checkListen(value any) string {
	listen := value.(string)
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Sprintf("%s is not an address with a port, such as 127.0.0.1:7480 or :7480", text.quote(listen))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Sprintf("%s has the port %s; 0 to 65535", text.quote(listen), text.quote(port))
	}
	if host != "" {
		if wrong := checkAddress(host); wrong != "" {
			return wrong
		}
	}
	return ""
}

// checkSocket knows that the kernel has room for 107 bytes and a NUL.
func checkSocket(value any) string {
	if wrong := checkAbsolute(value); wrong != "" {
		return wrong
	}
	const most = 107
	if path := value.(string); len(path) > most {
		return fmt.Sprintf("is %d bytes long, and a Unix socket may have %d; set a shorter one (%s)", len(path), most, text.quote(path))
	}
	return ""
}

func checkCheckPath(value any) string {
	path := value.(string)
	switch {
	case !strings.HasPrefix(path, "/") || path == "/":
		return fmt.Sprintf("%s must begin with / and name a page", text.quote(path))
	case strings.ContainsAny(path, "?#{} \t\r\n"):
		return fmt.Sprintf("%s must be a plain path, without ?, #, braces or blanks", text.quote(path))
	case slices.Contains([]string{"/lb", "/live", "/ready", "/metrics"}, path):
		return fmt.Sprintf("%s has a meaning of its own", text.quote(path))
	}
	return ""
}

func checkRoom(value any) string {
	if n := value.(int); n < 0 || n > 1000 {
		return fmt.Sprintf("is %d; 0 to 1000", n)
	}
	return ""
}

// checkFolders wants folders inside another, never that folder itself.
func checkFolders(value any) string {
	for _, folder := range value.([]string) {
		if folder == "." || !filepath.IsLocal(folder) || filepath.ToSlash(filepath.Clean(folder)) != folder {
			return fmt.Sprintf("has %s, which is no folder below appdata.path, such as var/log", text.quote(folder))
		}
	}
	return ""
}

// wrong tells what a source of seats lacks.
func (l License) wrong() string {
	switch {
	case l.Source != "sql" && l.Source != "log":
		return ""
	case l.Pool == "":
		return "needs license.pool"
	case l.Source == "sql" && l.Query == "":
		return "needs license.query"
	case l.Source == "log" && l.Log == "":
		return "needs license.log"
	case l.Source == "log" && !namesHolder(l.Pattern):
		return "needs license.pattern, a regular expression with a group (?P<holder>...)"
	}
	return ""
}

func namesHolder(pattern string) bool {
	re, err := regexp.Compile(pattern)
	return err == nil && re.SubexpIndex("holder") > 0
}
