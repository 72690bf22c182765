package config

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkDatabase judges what depends on where the database is.
func (r *reader) checkDatabase(c *Config) {
	params, err := parseDSN(c.Database.DSN)
	if err != nil || r.bad["database.dsn"] {
		return // told by checkDSN
	}
	mode, remote := params["sslmode"], remoteHost(params, c.env)
	weak := []string{"disable", "allow", "prefer", "require", "verify-ca"}
	if remote != "" && slices.Contains(weak, mode) {
		r.fault(r.origins["database.dsn"], "database.dsn",
			"database.dsn has sslmode=%s, which would trust any server that answers for %s; write verify-full, or leave it out", mode, remote)
	}
}

// checkDSN never repeats the string, in case it has a password.
func checkDSN(value any) string {
	params, err := parseDSN(value.(string))
	if err != nil {
		return err.Error()
	}
	for _, name := range []string{"password", "sslpassword"} {
		if params[name] != "" {
			return "has a password, which would show in files and process lists; put it into a file and set database.password_file"
		}
	}
	return ""
}

// remoteHost is the first host that is reached over a network, or "".
func remoteHost(params map[string]string, env environment) string {
	host := params["host"]
	if addr := params["hostaddr"]; addr != "" {
		host = addr
	} else if host == "" {
		host = env["PGHOST"]
	}
	for name := range strings.SplitSeq(host, ",") {
		name = strings.TrimSpace(name)
		socket := strings.HasPrefix(name, "/") || strings.HasPrefix(name, "@")
		address, err := netip.ParseAddr(name)
		loopback := err == nil && address.IsLoopback() || name == "localhost"
		if name != "" && !socket && !loopback {
			return name
		}
	}
	return ""
}

// ConnString is the connection string for the database driver, with all that
// the configuration says: the password out of its file, the time-outs, and a
// verified server wherever the connection leaves this machine. The caller must
// not log it.
func (c *Config) ConnString() (string, error) {
	params, err := parseDSN(c.Database.DSN)
	if err != nil {
		return "", fmt.Errorf("database.dsn %w", err)
	}
	if file := c.Database.PasswordFile; file != "" {
		if params["password"], err = readPassword(file); err != nil {
			return "", err
		}
	}
	set := func(name, value string) {
		if params[name] == "" {
			params[name] = value
		}
	}
	seconds := (c.Database.ConnectTimeout + time.Second - 1) / time.Second
	set("connect_timeout", strconv.FormatInt(int64(seconds), 10))
	set("statement_timeout", strconv.FormatInt(c.Database.StatementTimeout.Milliseconds(), 10))
	set("application_name", "coterie/"+c.Node.Name)
	if remoteHost(params, c.env) != "" {
		set("sslmode", "verify-full")
	} else if c.env["PGSSLMODE"] == "" {
		set("sslmode", "prefer")
	}
	return formatDSN(params), nil
}

func readPassword(file string) (string, error) {
	if wrong := checkPasswordFile(file); wrong != "" {
		return "", fmt.Errorf("database.password_file %s", wrong)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("database.password_file: %w", err)
	}
	password := strings.TrimRight(string(data), "\r\n")
	switch {
	case password == "":
		return "", fmt.Errorf("database.password_file %s is empty", file)
	case strings.ContainsAny(password, "\r\n\x00"):
		return "", fmt.Errorf("database.password_file %s has more than one line", file)
	}
	return password, nil
}

// formatDSN writes key='value' words in a fixed order.
func formatDSN(params map[string]string) string {
	var words []string
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for name, value := range params {
		words = append(words, name+"='"+escape.Replace(value)+"'")
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// parseDSN reads both forms of a connection string. Its errors do not repeat
// any of it.
func parseDSN(dsn string) (map[string]string, error) {
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return parseURL(dsn)
	}
	params := map[string]string{}
	rest := strings.TrimLeft(dsn, blanks)
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		name = strings.TrimRight(name, blanks)
		if !ok || name == "" || strings.ContainsAny(name, blanks+`'\`) {
			return nil, fmt.Errorf("is not written as key=value words (word %d)", len(params)+1)
		}
		value, after, err := dsnValue(strings.TrimLeft(after, blanks))
		if err != nil {
			return nil, fmt.Errorf("%w (word %d)", err, len(params)+1)
		}
		params[name] = value
		rest = strings.TrimLeft(after, blanks)
	}
	return params, nil
}

const blanks = " \t\r\n\v\f"

var (
	errOpenQuote = errors.New("has a quote that is not closed")
	errBackslash = errors.New("ends with a backslash")
)

// dsnValue reads a value, quoted or not, and gives what follows it.
func dsnValue(s string) (value, rest string, err error) {
	quoted := strings.HasPrefix(s, "'")
	if quoted {
		s = s[1:]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			if i++; i == len(s) {
				return "", "", errBackslash
			}
			b.WriteByte(s[i])
		case quoted && s[i] == '\'':
			return b.String(), s[i+1:], nil
		case !quoted && strings.IndexByte(blanks, s[i]) >= 0:
			return b.String(), s[i:], nil
		default:
			b.WriteByte(s[i])
		}
	}
	if quoted {
		return "", "", errOpenQuote
	}
	return b.String(), "", nil
}

func parseURL(dsn string) (map[string]string, error) {
	hosts, dsn, err := cutHosts(dsn)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, errors.New("is not a URL")
	}
	params := map[string]string{}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("has a query that cannot be read")
	}
	for name, values := range query {
		params[name] = values[len(values)-1]
	}
	maps.Copy(params, hosts)
	if u.User != nil {
		params["user"] = u.User.Username()
		if password, ok := u.User.Password(); ok {
			params["password"] = password
		}
	}
	if name := strings.TrimPrefix(u.Path, "/"); name != "" {
		params["dbname"] = name
	}
	return params, nil
}

// cutHosts takes the hosts and ports out of a URL, because there may be several
// (postgres://a:5432,b:5432/x), which net/url refuses.
func cutHosts(dsn string) (params map[string]string, rest string, err error) {
	scheme, after, _ := strings.Cut(dsn, "://")
	end := strings.IndexAny(after, "/?")
	if end < 0 {
		end = len(after)
	}
	authority, tail := after[:end], after[end:]
	user := ""
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, authority = authority[:at+1], authority[at+1:]
	}
	params = map[string]string{}
	if authority != "" {
		var hosts, ports []string
		for part := range strings.SplitSeq(authority, ",") {
			u, err := url.Parse("postgres://" + part)
			if err != nil {
				return nil, "", errors.New("names a host that cannot be read")
			}
			hosts, ports = append(hosts, u.Hostname()), append(ports, u.Port())
		}
		params["host"] = strings.Join(hosts, ",")
		if strings.Join(ports, "") != "" {
			params["port"] = strings.Join(ports, ",")
		}
	}
	return params, scheme + "://" + user + tail, nil
}
