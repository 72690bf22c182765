package license

import (
	"bufio"
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// verdict is what the diaries of clients say.
type verdict struct {
	most     int // users who had a seat at once
	grants   int
	refusals int
	others   map[string]int // answers that are neither, and how often
	lost     int            // nodes that lost their session
}

// word is that a user has a seat from now on, or has it no more.
type word struct {
	at    time.Duration
	user  string
	enter bool
}

// judge tells from diaries how many users had a seat at the same time, at most. A
// line is an instant of the clock of all, what happened (+ has a seat, - gives it
// back, x was refused, ? was told something else, ! a node cannot trust its session
// from then on) and to whom. What was had when somebody was killed is had until then,
// and no client has a seat longer than its node lives: n7.c2 is beside n7.
func judge(diaries map[string][]byte, killed map[string]time.Duration) verdict {
	v := verdict{others: map[string]int{}}
	ends := map[string]time.Duration{}
	maps.Copy(ends, killed)
	until := func(name string) time.Duration {
		if at, ok := ends[name]; ok {
			return at
		}
		return 1 << 62
	}
	each := func(text []byte, do func(at time.Duration, what, user string)) {
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			part := strings.SplitN(lines.Text(), " ", 3)
			if n, err := strconv.ParseInt(part[0], 10, 64); err == nil && len(part) == 3 { // else it was cut off in the middle
				do(time.Duration(n), part[1], part[2])
			}
		}
	}
	for name, text := range diaries {
		each(text, func(at time.Duration, what, _ string) {
			if what == "!" {
				ends[name] = min(until(name), at)
				v.lost++
			}
		})
	}
	var words []word
	for name, text := range diaries {
		node, _, _ := strings.Cut(name, ".")
		end := min(until(name), until(node))
		open := map[string][]time.Duration{} // since when
		had := func(user string, to time.Duration) {
			from := open[user][0]
			open[user] = open[user][1:]
			if from < to {
				words = append(words, word{from, user, true}, word{to, user, false})
			}
		}
		each(text, func(at time.Duration, what, user string) {
			switch {
			case what == "+" && at < end:
				open[user] = append(open[user], at)
				v.grants++
			case what == "-" && len(open[user]) > 0:
				had(user, min(at, end))
			case what == "x":
				v.refusals++
			case what == "?":
				v.others[user]++
			}
		})
		for user, since := range open {
			for range since {
				had(user, end)
			}
		}
	}
	v.most = most(words)
	return v
}

func most(words []word) (n int) {
	slices.SortStableFunc(words, func(a, b word) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		if a.enter == b.enter {
			return 0
		}
		return map[bool]int{true: 1, false: -1}[a.enter] // at one instant who leaves has left
	})
	has := map[string]int{}
	for _, w := range words {
		if w.enter {
			has[w.user]++
		} else if has[w.user]--; has[w.user] <= 0 {
			delete(has, w.user)
		}
		n = max(n, len(has))
	}
	return n
}

func TestTheJudgeReadsDiaries(t *testing.T) {
	for name, c := range map[string]struct {
		diaries map[string]string
		killed  map[string]time.Duration
		most    int
	}{
		"one after the other":             {map[string]string{"n1.c1": "1 + ana\n2 - ana\n3 + bob\n4 - bob\n"}, nil, 1},
		"two at once":                     {map[string]string{"n1.c1": "1 + ana\n3 - ana\n", "n2.c1": "2 + bob\n4 - bob\n"}, nil, 2},
		"one user on two nodes":           {map[string]string{"n1.c1": "1 + ana\n3 - ana\n", "n2.c1": "2 + ana\n4 - ana\n"}, nil, 1},
		"who goes when another comes":     {map[string]string{"n1.c1": "1 + ana\n2 - ana\n", "n2.c1": "2 + bob\n"}, nil, 1},
		"killed before another comes":     {map[string]string{"n1.c1": "1 + ana\n", "n2.c1": "3 + bob\n"}, map[string]time.Duration{"n1.c1": 2}, 1},
		"its node killed before":          {map[string]string{"n1.c1": "1 + ana\n", "n2.c1": "3 + bob\n"}, map[string]time.Duration{"n1": 2}, 1},
		"its node's session ended before": {map[string]string{"n1": "2 ! session\n", "n1.c1": "1 + ana\n5 - ana\n", "n2.c1": "3 + bob\n"}, nil, 1},
		"killed after another came":       {map[string]string{"n1.c1": "1 + ana\n", "n2.c1": "3 + bob\n"}, map[string]time.Duration{"n1.c1": 4}, 2},
		"an answer that came too late":    {map[string]string{"n1.c1": "9 + ana\n5 - ana\n10 + bob\n11 - bob\n"}, nil, 1},
		"a line that is cut off":          {map[string]string{"n1.c1": "1 + ana\n2 - an"}, nil, 1},
	} {
		diaries := map[string][]byte{}
		for who, text := range c.diaries {
			diaries[who] = []byte(text)
		}
		if got := judge(diaries, c.killed).most; got != c.most {
			t.Errorf("%s: %d at once, want %d", name, got, c.most)
		}
	}
}
