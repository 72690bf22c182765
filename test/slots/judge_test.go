package slots

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// history is three slots of one job and one of another: the second was skipped.
func history() (lines []string, rows []slot) {
	at := time.UnixMilli(1_800_000_000_000)
	for i, job := range []string{jobName(1), jobName(1), jobName(1), jobName(2)} {
		due := at.Add(time.Duration(i) * grid)
		k, err := keyOf(job, due)
		if err != nil {
			panic(err)
		}
		if i != 1 {
			lines = append(lines, line("a", job, due, 7))
		}
		rows = append(rows, slot{key: k, ran: i != 1, well: i != 1})
	}
	return lines, rows
}

func TestTheJudgeFindsWhatIsWrong(t *testing.T) {
	for want, wrong := range map[string]func(lines []string, rows []slot) ([]string, []slot){
		"": func(l []string, r []slot) ([]string, []slot) { return l, r },
		"1 slots were started twice; the first: j0000001 of 08:00:00.2": func(l []string, r []slot) ([]string, []slot) {
			return append(l, strings.Replace(l[1], " a", " b", 1)), r
		},
		"1 starts have no row that says so; the first: j0000001 of 08:00:00.1": func(l []string, r []slot) ([]string, []slot) {
			return append(l, line("a", jobName(1), time.UnixMilli(1_800_000_000_100), 7)), r
		},
		"1 successes were seen by nobody; the first: j0000001 of 08:00:00.0": func(l []string, r []slot) ([]string, []slot) { return l[1:], r },
		"1 slots have two rows; the first: j0000001 of 08:00:00.1":           func(l []string, r []slot) ([]string, []slot) { return l, slices.Insert(r, 1, r[1]) },
		"1 times slots have no row; the first: j0000001 of 08:00:00.1":       func(l []string, r []slot) ([]string, []slot) { return l, slices.Delete(r, 1, 2) },
	} {
		lines, rows := wrong(history())
		seen, err := readWitness(strings.NewReader(strings.Join(lines, "")))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(judge(seen, rows).faults, "\n"); got != want {
			t.Errorf("the judge says %q, want %q", got, want)
		}
	}
}

func TestALineThatIsNoneIsNoWitness(t *testing.T) {
	for _, text := range []string{"j0000001 1800000000000 7\n", "j0000001 now 7 a\n", "other 1800000000000 7 a\n"} {
		if keys, err := readWitness(strings.NewReader(text)); err == nil {
			t.Errorf("%q counts as %v", text, keys)
		}
	}
}
