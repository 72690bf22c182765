package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A kind turns the text of a value into the value, the same way for the file,
// the environment and flags. On failure it says in words what the text is not;
// the text itself is put before that by the caller.
type kind struct {
	name  string
	parse func(text string) (value any, wrong string)
	list  bool
	quiet bool // may hold a secret by mistake: never repeat the text
}

var (
	text      = kind{name: "text", parse: parseText}
	secretive = kind{name: "text", parse: parseText, quiet: true}
	duration  = kind{name: "duration", parse: parseDuration}
	integer   = kind{name: "whole number", parse: parseInteger}
	boolean   = kind{name: "true or false", parse: parseBoolean}
	list      = kind{name: "list", parse: parseList, list: true}
)

// quote shows a value in a message, shortened, or not at all if it may be secret.
func (k kind) quote(text string) string {
	const most = 60
	if k.quiet {
		return "the value"
	}
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "..."
	}
	return strconv.Quote(text)
}

func parseText(text string) (any, string) {
	if strings.ContainsRune(text, 0) {
		return nil, "has a NUL character"
	}
	return text, ""
}

// parseDuration refuses a bare number: what libraries make of 15 is 15
// nanoseconds.
func parseDuration(text string) (any, string) {
	if _, err := strconv.ParseFloat(text, 64); err == nil && text != "0" {
		return nil, fmt.Sprintf("has no unit (write %ss, %sm)", text, text)
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return nil, "is not a duration (write 15s, 2m)"
	case d < 0:
		return nil, "is negative"
	}
	return d, ""
}

func parseInteger(text string) (any, string) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, "is not a whole number"
	}
	return n, ""
}

func parseBoolean(text string) (any, string) {
	switch text {
	case "true":
		return true, ""
	case "false":
		return false, ""
	}
	return nil, "is neither true nor false"
}

// parseList reads a list from one text, as the environment and flags have it.
func parseList(text string) (any, string) {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		items = append(items, strings.TrimSpace(item))
	}
	return items, ""
}
