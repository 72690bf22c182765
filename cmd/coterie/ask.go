package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/coterie-ha/coterie/internal/problem"
)

// person is the terminal at which somebody can be asked; nil where nobody can.
func (c *cli) person() *os.File {
	f, ok := c.in.(*os.File)
	if c.flags.noInput || !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// confirm asks whether to go on. Without a terminal nobody can be asked, and
// what needs an answer is refused. The error is nil when the answer is yes.
func (c *cli) confirm(question string) error {
	if c.flags.yes {
		return nil
	}
	if c.person() == nil {
		return problem.New("COT-106", nil, "not done, because nobody answered: %s", question)
	}
	fmt.Fprintf(c.err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(c.in).ReadString('\n')
	if err != nil {
		return problem.New("COT-106", err, "not done")
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	c.say("Nothing was done.")
	return outcome(problem.ExitRefused)
}
