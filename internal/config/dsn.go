package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// checkDSN looks for passwords. What the rest of the string means is for those
// who connect. It never repeats the string.
func checkDSN(value any) string {
	secret, err := hasPassword(value.(string))
	switch {
	case err != nil:
		return err.Error()
	case secret:
		return "has a password, which would show in files and process lists; put it into a file and set database.password_file"
	}
	return ""
}

func isPassword(name string) bool { return name == "password" || name == "sslpassword" }

// hasPassword reads both forms of a connection string.
func hasPassword(dsn string) (bool, error) {
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return urlHasPassword(dsn)
	}
	found := false
	rest := strings.TrimLeft(dsn, blanks)
	for word := 1; rest != ""; word++ {
		name, after, ok := strings.Cut(rest, "=")
		name = strings.TrimRight(name, blanks)
		if !ok || name == "" || strings.ContainsAny(name, blanks+`'\`) {
			return false, fmt.Errorf("is not written as key=value words (word %d)", word)
		}
		value, after, err := dsnValue(strings.TrimLeft(after, blanks))
		if err != nil {
			return false, fmt.Errorf("%w (word %d)", err, word)
		}
		found = found || isPassword(name) && value != ""
		rest = strings.TrimLeft(after, blanks)
	}
	return found, nil
}

// urlHasPassword does not use url.Parse on the whole, which refuses the several
// hosts of postgres://a:5432,b:5432/x.
func urlHasPassword(dsn string) (bool, error) {
	_, rest, _ := strings.Cut(dsn, "://")
	address, query, _ := strings.Cut(rest, "?")
	authority, _, _ := strings.Cut(address, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if _, password, _ := strings.Cut(authority[:at], ":"); password != "" {
			return true, nil
		}
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return false, errors.New("has a query that cannot be read")
	}
	for name := range values {
		if isPassword(name) && values.Get(name) != "" {
			return true, nil
		}
	}
	return false, nil
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
