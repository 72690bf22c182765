package config

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// equalKeys are of files that each node has of its own and that must be equal.
func equalKeys() []Key {
	return []Key{
		{Name: "equal.root", kind: text, check: checkOwnRoot,
			field:   func(c *Config) any { return c.Equal.Root },
			Meaning: "Folder on this node with files that must be as on the other nodes, such as the installation of the server; it may be elsewhere on each."},
		{Name: "equal.paths", kind: list, check: checkPatterns,
			field:   func(c *Config) any { return c.Equal.Paths },
			Meaning: "Which of them: patterns below equal.root, such as patches, conf/*.xml or lib/*.jar; a folder is all that is in it."},
		{Name: "equal.ignore", kind: list, check: checkPatterns,
			field:   func(c *Config) any { return c.Equal.Ignore },
			Meaning: "Which not, though in such a folder; a pattern without a slash is for names in all folders."},
		{Name: "equal.secret", kind: list, check: checkPatterns,
			field:   func(c *Config) any { return c.Equal.Secret },
			Meaning: "Of which it is told that they differ, and never in what."},
		{Name: "equal.xml", kind: list, check: checkAttributes,
			field:   func(c *Config) any { return c.Equal.XML },
			Meaning: "Attributes that may differ, such as conf/server.xml#Server/Service/Connector@port."},
		{Name: "equal.properties", kind: list, check: checkFields,
			field:   func(c *Config) any { return c.Equal.Properties },
			Meaning: "Keys of properties files whose values may differ, such as conf/server/installed.properties#server.host."},
		{Name: "equal.lines", kind: list, check: checkExpressions,
			field:   func(c *Config) any { return c.Equal.Lines },
			Meaning: "Lines that may differ, by a regular expression that is found in them, such as bin/setenv.sh#^JAVA_HOME=."},
		{Name: "equal.every", kind: duration, Default: "5m", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.Equal.Every },
			Meaning: "How often this node looks at them."},
		{Name: "equal.watch", kind: boolean, Default: "false",
			field:   func(c *Config) any { return c.Equal.Watch },
			Meaning: "Whether it also looks at once when its kernel tells of a change there; costs the kernel a kilobyte per folder."},
		{Name: "equal.names", kind: integer, Default: "2000", check: checkNoLess,
			field:   func(c *Config) any { return c.Equal.Names },
			Meaning: "How many names it looks at a second, at most; 0 for any number."},
		{Name: "equal.mib", kind: integer, Default: "50", check: checkNoLess,
			field:   func(c *Config) any { return c.Equal.MiB },
			Meaning: "How many MiB it reads a second, at most; 0 for any number."},
	}
}

func checkOwnRoot(value any) string {
	if value.(string) == "" {
		return ""
	}
	return checkAbsolute(value)
}

func checkNoLess(value any) string {
	if n := value.(int); n < 0 {
		return fmt.Sprintf("is %d; it cannot be negative", n)
	}
	return ""
}

func checkPatterns(value any) string {
	for _, pattern := range value.([]string) {
		if !isPattern(pattern) {
			return fmt.Sprintf("has %s, which is no pattern of a path below equal.root, such as conf/*.xml", text.quote(pattern))
		}
	}
	return ""
}

func isPattern(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err == nil && pattern != "" && path.Clean(pattern) == pattern && !path.IsAbs(pattern) && pattern != ".." && !strings.HasPrefix(pattern, "../")
}

// checkFields wants FILE#FIELD.
func checkFields(value any) string {
	for _, rule := range value.([]string) {
		file, field, found := strings.Cut(rule, "#")
		if _, err := path.Match(field, ""); !found || !isPattern(file) || field == "" || err != nil {
			return fmt.Sprintf("has %s, which is not a file and a field in it, such as conf/server.xml#Server@port", text.quote(rule))
		}
	}
	return ""
}

func checkAttributes(value any) string {
	if wrong := checkFields(value); wrong != "" {
		return wrong
	}
	for _, rule := range value.([]string) {
		_, field, _ := strings.Cut(rule, "#")
		if elements, attribute, found := strings.Cut(field, "@"); !found || elements == "" || attribute == "" || strings.ContainsAny(attribute, "@/") {
			return fmt.Sprintf("has %s, which names no attribute, such as conf/server.xml#Server@port", text.quote(rule))
		}
	}
	return ""
}

func checkExpressions(value any) string {
	for _, rule := range value.([]string) {
		file, expression, found := strings.Cut(rule, "#")
		if _, err := regexp.Compile(expression); !found || !isPattern(file) || expression == "" || err != nil {
			return fmt.Sprintf("has %s, which is not a file and a regular expression, such as bin/setenv.sh#^JAVA_HOME=", text.quote(rule))
		}
	}
	return ""
}
