package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/keystore"
)

// chooseAlias is the alias of the private key that is meant. Where there are several,
// and none was named, a person is asked, three times at most; without a terminal
// nobody can be, and the aliases are told.
func (c *cli) chooseAlias(file string, s *keystore.Store, named string) (string, error) {
	var keys []keystore.Entry
	for _, e := range s.Entries {
		if e.Kind == keystore.Key {
			keys = append(keys, e)
		}
	}
	if named != "" || len(keys) < 2 {
		return named, nil
	}
	var aliases []string
	for _, e := range keys {
		aliases = append(aliases, e.Alias)
	}
	f := c.person()
	if f == nil {
		p := problem.New("COT-908", nil, "%s has %d private keys, and nothing says which is meant: %s", file, len(keys), strings.Join(aliases, ", "))
		p.Remedy = "--alias " + aliases[0] + ", or another of them"
		return "", p
	}
	for i, e := range keys {
		fact := e.Facts()
		c.say("%3d  %-20s %s, until %s", i+1, e.Alias, fact.Subject, fact.NotAfter.UTC().Format("2006-01-02"))
	}
	alias, err := c.pick(f, aliases)
	if err == nil && alias == "" {
		err = problem.New("COT-908", nil, "%s: none of its %d private keys was chosen", file, len(keys))
	}
	return alias, err
}

// pick asks which of several is meant, by its number or its name, three times at most;
// empty when none was.
func (c *cli) pick(f *os.File, names []string) (string, error) {
	lines := bufio.NewReader(f)
	for range tries {
		fmt.Fprintf(c.err, "Which of them? [1-%d] ", len(names))
		line, err := lines.ReadString('\n')
		if err != nil {
			return "", problem.New("COT-106", err, "not done")
		}
		word := strings.TrimSpace(line)
		if n, err := strconv.Atoi(word); err == nil && n >= 1 && n <= len(names) {
			return names[n-1], nil
		}
		if slices.Contains(names, word) {
			return word, nil
		}
		c.say("There is no %q.", word)
	}
	return "", nil
}
