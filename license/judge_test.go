package license

import (
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

// diary is what one process wrote: lines of an instant of the clock of all, what
// happened, and to whom.
//
//	12 ~ trusted         a node can trust its session until then
//	12 ! session         it could not any more from then on
//	12 + ana s1 90       a client knows that ana has a seat in session s1, until 90 at most
//	17 - ana s1          and gives it back
//	12 x ana             was refused
//	12 ? 503             was told something else
type diary string

// each reads the lines that are whole: a process may have been killed within one.
func (d diary) each(do func(at time.Duration, what string, about []string)) {
	for line := range strings.Lines(string(d[:strings.LastIndexByte(string(d), '\n')+1])) {
		word := strings.Fields(line)
		if len(word) > 2 {
			do(instant(word[0]), word[1], word[2:])
		}
	}
}

func instant(text string) time.Duration {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return time.Duration(n)
}

// never is after everything.
const never time.Duration = 1 << 62

// judge tells from diaries how many users had a seat at the same time, at most. To
// accuse nobody wrongly it counts a seat only while its client had every right to it:
// neither had given it back nor was killed, had not idled for as long as the pool
// lets one, and the node beside it lived and could trust its session. The node of
// n7.c2 is n7; killed tells when each was, or a little before.
func judge(diaries map[string]diary, killed map[string]time.Duration) verdict {
	v := verdict{others: map[string]int{}}
	ends := map[string]time.Duration{}
	for name, d := range diaries {
		ends[name] = never
		if at, ok := killed[name]; ok {
			ends[name] = at
		}
		trusted := never
		d.each(func(at time.Duration, what string, _ []string) {
			switch what {
			case "~":
				trusted = at
			case "!":
				v.lost++
			}
		})
		ends[name] = min(ends[name], trusted)
	}
	var words []word
	for name, d := range diaries {
		node, _, _ := strings.Cut(name, ".")
		end := ends[name]
		if at, ok := killed[node]; ok {
			end = min(end, at)
		}
		if _, ok := diaries[node]; ok {
			end = min(end, ends[node])
		}
		words = append(words, v.read(d, end)...)
	}
	v.most = most(words)
	return v
}

// read counts what a diary says, and tells who had a seat from when to when; nobody
// had one after its end.
func (v *verdict) read(d diary, end time.Duration) (words []word) {
	type seat struct{ from, to time.Duration }
	open := map[string]seat{} // by user and session
	had := func(user string, s seat) {
		if s.from < s.to {
			words = append(words, word{s.from, user, true}, word{s.to, user, false})
		}
	}
	d.each(func(at time.Duration, what string, about []string) {
		key := strings.Join(about[:min(2, len(about))], " ")
		switch what {
		case "+":
			v.grants++
			open[key] = seat{at, min(instant(about[2]), end)}
		case "-":
			s := open[key]
			delete(open, key)
			had(about[0], seat{s.from, min(s.to, at)})
		case "x":
			v.refusals++
		case "?":
			v.others[about[0]]++
		}
	})
	for key, s := range open {
		user, _, _ := strings.Cut(key, " ")
		had(user, s)
	}
	return words
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
		diaries map[string]diary
		killed  map[string]time.Duration
		most    int
	}{
		"one after the other":             {map[string]diary{"n1.c1": "1 + ana s 99\n2 - ana s\n3 + bob t 99\n4 - bob t\n"}, nil, 1},
		"two at once":                     {map[string]diary{"n1.c1": "1 + ana s 99\n3 - ana s\n", "n2.c1": "2 + bob t 99\n4 - bob t\n"}, nil, 2},
		"one user on two nodes":           {map[string]diary{"n1.c1": "1 + ana s 99\n3 - ana s\n", "n2.c1": "2 + ana t 99\n4 - ana t\n"}, nil, 1},
		"one user twice beside another":   {map[string]diary{"n1.c1": "1 + ana s 99\n2 + ana t 99\n3 - ana s\n5 - ana t\n", "n2.c1": "4 + bob u 99\n"}, nil, 2},
		"who goes when another comes":     {map[string]diary{"n1.c1": "1 + ana s 99\n2 - ana s\n", "n2.c1": "2 + bob t 99\n"}, nil, 1},
		"killed before another comes":     {map[string]diary{"n1.c1": "1 + ana s 99\n", "n2.c1": "3 + bob t 99\n"}, map[string]time.Duration{"n1.c1": 2}, 1},
		"killed after another came":       {map[string]diary{"n1.c1": "1 + ana s 99\n", "n2.c1": "3 + bob t 99\n"}, map[string]time.Duration{"n1.c1": 4}, 2},
		"its node killed before":          {map[string]diary{"n1.c1": "1 + ana s 99\n", "n2.c1": "3 + bob t 99\n"}, map[string]time.Duration{"n1": 2}, 1},
		"its node's session ended before": {map[string]diary{"n1": "2 ~ trusted\n2 ! session\n", "n1.c1": "1 + ana s 99\n5 - ana s\n", "n2.c1": "3 + bob t 99\n"}, nil, 1},
		"its node ended without a word":   {map[string]diary{"n1": "2 ~ trusted\n", "n1.c1": "1 + ana s 99\n5 - ana s\n", "n2.c1": "3 + bob t 99\n"}, map[string]time.Duration{"n1": 5}, 1},
		"its node's session went on":      {map[string]diary{"n1": "2 ~ trusted\n9 ~ trusted\n", "n1.c1": "1 + ana s 99\n5 - ana s\n", "n2.c1": "3 + bob t 99\n"}, nil, 2},
		"idled, and gave it back late":    {map[string]diary{"n1.c1": "1 + ana s 2\n5 - ana s\n", "n2.c1": "3 + bob t 99\n"}, nil, 1},
		"idled, and was killed later":     {map[string]diary{"n1.c1": "1 + ana s 2\n", "n2.c1": "3 + bob t 99\n"}, map[string]time.Duration{"n1.c1": 5}, 1},
		"an answer that came too late":    {map[string]diary{"n1.c1": "9 + ana s 5\n10 - ana s\n10 + bob t 99\n11 - bob t\n"}, nil, 1},
		"a line that is cut off":          {map[string]diary{"n1.c1": "1 + ana s 99\n2 - an"}, nil, 1},
		"a grant that is cut off":         {map[string]diary{"n1.c1": "1 + ana s 99\n2 + bob t 9"}, nil, 1},
	} {
		if got := judge(c.diaries, c.killed).most; got != c.most {
			t.Errorf("%s: %d at once, want %d", name, got, c.most)
		}
	}
}
