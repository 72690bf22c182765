package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is a line of the table.
type row struct {
	figure string
	ours   string
	peer   string // empty when the peer is not here, or there is none
	ratio  string // how many times better ours is, unless the limit says otherwise
	limit  string // what must hold
	load   string // of the machine, when it was measured
	met    verdict
}

type verdict int

const (
	unjudged verdict = iota // no limit was set
	met
	missed
)

func (v verdict) String() string { return [...]string{"", "met", "missed"}[v] }

// judge turns what must hold into a verdict.
func judge(holds bool) verdict {
	if holds {
		return met
	}
	return missed
}

func (r row) String() string {
	return strings.Join([]string{r.figure, r.ours, r.peer, r.ratio, r.limit, r.met.String()}, " | ")
}

// table lays the rows out as Markdown.
func table(rows []row) string {
	cells := [][]string{{"figure", "ours", "peer", "ratio", "limit", "", "load"}}
	for _, r := range rows {
		cells = append(cells, []string{r.figure, r.ours, r.peer, r.ratio, r.limit, r.met.String(), r.load})
	}
	wide := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, cell := range line {
			wide[i] = max(wide[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for i, line := range cells {
		for j, cell := range line {
			fmt.Fprintf(&b, "| %-*s ", wide[j], cell)
		}
		b.WriteString("|\n")
		if i == 0 {
			for _, w := range wide {
				b.WriteString("|" + strings.Repeat("-", w+2))
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}

// heading says where and with what the table was measured.
func heading(l *lab) string {
	return fmt.Sprintf("%s, %d cores, %s/%s; PostgreSQL %s, etcd %s, River %s; load is the average of the last minute\n\n",
		time.Now().Format("2006-01-02 15:04"), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, l.version, l.etcdVersion(), riverVersion())
}

// load is how many processes wanted to run in the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "" // not Linux
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// sample is a heap of durations.
type sample []time.Duration

// at is the quantile q, the upper of two neighbours.
func (s sample) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(math.Ceil(q*float64(len(sorted)))), len(sorted))-min(1, len(sorted))]
}

func (s sample) String() string {
	return fmt.Sprintf("p50 %s, p99 %s", short(s.at(.5)), short(s.at(.99)))
}

// few tells all of a sample that is too small for quantiles.
func (s sample) few() string {
	if len(s) == 0 {
		return ""
	}
	return fmt.Sprintf("median %s, most %s of %d", short(s.at(.5)), short(s.at(1)), len(s))
}

// short writes a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d us", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// median of numbers.
func median(a []float64) float64 {
	if len(a) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(a))
	return sorted[len(sorted)/2]
}

// times writes a ratio; nothing when one side is missing.
func times(r float64) string {
	if math.IsNaN(r) || math.IsInf(r, 0) || r == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", r)
}

// over divides two durations.
func over(a, b time.Duration) float64 { return float64(a) / float64(b) }
