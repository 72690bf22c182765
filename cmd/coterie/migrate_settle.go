package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/problem"
)

// completed is the plan of a server that joins once a person has said what is to be set,
// and its key was found in the encryption keystore. Nothing is written meanwhile, so that
// whoever is asked may go away.
func (c *cli) completed(ctx context.Context, p migrate.Plan, a migrate.Ask, passwordFile string) (migrate.Plan, error) {
	for _, settle := range []func() (again bool, err error){
		func() (bool, error) { return c.askSettings(p, &a) },
		func() (bool, error) { return c.encryptionKey(p, &a, passwordFile) },
	} {
		again, err := settle()
		if err != nil {
			return p, err
		}
		if !again {
			continue
		}
		if p, err = migrate.Make(ctx, a); err != nil {
			return p, migrateProblem(p, err)
		}
	}
	return p, nil
}

// settler is the terminal of a person who wants to be asked for settings; nil where nobody
// is asked.
func (c *cli) settler() *os.File {
	if c.flags.yes {
		return nil
	}
	return c.person()
}

// askSettings asks for settings of this server that are missing or contradict those of
// the others, for each three times at most. What is not answered stays an objection.
func (c *cli) askSettings(p migrate.Plan, a *migrate.Ask) (again bool, err error) {
	f, open := c.settler(), p.Questions()
	if f == nil || len(open) == 0 {
		return false, nil
	}
	signal.Reset(os.Interrupt) // who reads from a terminal does not hear of it otherwise, and there is nothing to be undone
	c.say("%s of this server to be said. An empty answer leaves one as it is.", plural(int64(len(open)), "setting"))
	lines := bufio.NewReader(f)
	for _, q := range open {
		value, err := c.askSetting(f, lines, q)
		if err != nil {
			return false, problem.New("COT-106", err, "not done")
		}
		if value != "" {
			a.Set, again = with(a.Set, q.Setting.Key, value), true
		}
	}
	return again, nil
}

// askSetting asks for one; empty when it was not said.
func (c *cli) askSetting(f *os.File, lines *bufio.Reader, q migrate.Question) (string, error) {
	for _, why := range q.Why {
		c.say("%s.", why)
	}
	question := q.Setting.Key
	switch {
	case q.Secret:
		question += " (what is typed is not shown)"
	case q.Offer != "":
		question += " (" + q.Offer + " at the others: say yes to have it here too)"
	}
	for range tries {
		fmt.Fprintf(c.err, "%s: ", question)
		value, err := c.line(f, lines, q.Secret)
		if err != nil {
			return "", err
		}
		if word := strings.ToLower(value); q.Offer != "" && (word == "y" || word == "yes") {
			value = q.Offer
		}
		if value == "" {
			return "", nil
		}
		wrong := q.Wrong(value)
		if wrong == "" {
			return value, nil
		}
		c.say("%s.", wrong)
	}
	return "", nil
}

// line reads what a person types.
func (c *cli) line(f *os.File, lines *bufio.Reader, hidden bool) (string, error) {
	if !hidden {
		text, err := lines.ReadString('\n')
		return strings.TrimSpace(text), err
	}
	text, err := term.ReadPassword(int(f.Fd()))
	c.say("")
	return strings.TrimSpace(string(text)), err
}
