package upheaval_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// complaints takes what a check says, instead of failing.
type complaints struct {
	testing.TB
	said []string
}

func (c *complaints) Helper() {}
func (c *complaints) Errorf(format string, args ...any) {
	c.said = append(c.said, fmt.Sprintf(format, args...))
}

// The check itself, shown what it must find.
func TestTheCheckFindsWhatItLooksFor(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	b := func(node string, token leases.Token, from, until int) belief {
		held := belief{node: node, lease: "x", token: token, from: at(from)}
		if until > 0 {
			held.until = at(until)
		}
		return held
	}
	for want, beliefs := range map[string][]belief{
		"":                                   {b("b", 2, 10, 20), b("a", 1, 1, 10), b("a", 3, 20, 0)},
		"began with token 2 1ms before":      {b("a", 1, 1, 11), b("b", 2, 10, 20)},
		"a holds it with token 1 while":      {b("a", 1, 1, 0), b("b", 2, 10, 20)},
		"token 2 was given twice":            {b("a", 2, 1, 10), b("b", 2, 10, 20)},
		"token 1 of b follows 2 of a":        {b("a", 2, 1, 10), b("b", 1, 10, 20)},
		"token 3 of b follows 4398046511105": {b("a", 1<<42+1, 1, 10), b("b", 3, 10, 20)},
	} {
		var c complaints
		check(&c, beliefs)
		said := strings.Join(c.said, "; ")
		if want == "" && said != "" || !strings.Contains(said, want) {
			t.Errorf("got %q, want %q", said, want)
		}
	}
}
