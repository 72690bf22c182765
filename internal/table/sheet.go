package table

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// gap is what stands between two fields.
const gap = "  "

// write lays the rows out. Fields marked wide appear where the width has room
// for them; free text is cut where it does not even have room for the others.
func (s Sheet) write(w io.Writer, r *Rows) error {
	cells := s.cells(r)
	shown := s.choose(cells)
	widths := make(map[int]int)
	for _, f := range shown {
		widths[f] = width(cells, f)
	}
	if s.Width > 0 {
		s.squeeze(shown, widths)
	}
	if s.Headless {
		cells = cells[1:]
	}
	var b strings.Builder
	for _, line := range cells {
		s.line(&b, line, shown, widths)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cells are the titles, then the rows.
func (s Sheet) cells(r *Rows) [][]string {
	all := [][]string{make([]string, len(s.Fields))}
	for i, f := range s.Fields {
		all[0][i] = f.Title
	}
	for i := range r.Values {
		line := make([]string, len(s.Fields))
		for c, f := range s.Fields {
			line[c] = Safe(f.Show(r.Row(i)))
			if line[c] == "" {
				line[c] = "-"
			}
		}
		all = append(all, line)
	}
	return all
}

// choose are the numbers of the fields to show.
func (s Sheet) choose(cells [][]string) []int {
	room := s.Width - s.Indent
	for i, f := range s.Fields {
		if !f.Wide {
			room -= width(cells, i) + len(gap)
		}
	}
	var shown []int
	for i, f := range s.Fields {
		if f.Wide && s.Width > 0 {
			need := width(cells, i) + len(gap)
			if need > room+len(gap) || empty(cells, i) {
				continue
			}
			room -= need
		}
		shown = append(shown, i)
	}
	return shown
}

// empty tells whether a field has nothing but its title.
func empty(cells [][]string, field int) bool {
	for _, line := range cells[1:] {
		if line[field] != "-" {
			return false
		}
	}
	return true
}

func width(cells [][]string, field int) int {
	most := 0
	for _, line := range cells {
		most = max(most, utf8.RuneCountInString(line[field]))
	}
	return most
}

// squeeze takes from the free texts what the lines are too long, from the
// widest first.
func (s Sheet) squeeze(shown []int, widths map[int]int) {
	total := s.Indent - len(gap)
	for _, f := range shown {
		total += widths[f] + len(gap)
	}
	for ; total > s.Width; total-- {
		widest := -1
		for _, f := range shown {
			least := max(utf8.RuneCountInString(s.Fields[f].Title), 8)
			if s.Fields[f].Text && widths[f] > least && (widest < 0 || widths[f] >= widths[widest]) {
				widest = f
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

func (s Sheet) line(b *strings.Builder, cells []string, shown []int, widths map[int]int) {
	var line strings.Builder
	line.WriteString(strings.Repeat(" ", s.Indent))
	for i, f := range shown {
		if i > 0 {
			line.WriteString(gap)
		}
		text := clip(cells[f], widths[f])
		pad := strings.Repeat(" ", widths[f]-utf8.RuneCountInString(text))
		if s.Fields[f].Right {
			line.WriteString(pad + text)
		} else {
			line.WriteString(text + pad)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " "))
	b.WriteByte('\n')
}

// clip cuts a text to a number of characters, and shows that it did.
func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	if most < 3 {
		return string([]rune(text)[:most])
	}
	return string([]rune(text)[:most-2]) + ".."
}

// Safe is a text on one line without characters that steer a terminal:
// what is shown here was written by other machines and people.
func Safe(text string) string {
	return strings.Map(func(char rune) rune {
		switch {
		case char == '\n' || char == '\t':
			return ' '
		case char < ' ', char == utf8.RuneError, char >= 0x7f && char < 0xa0, // C0, DEL, C1
			char >= 0x200b && char <= 0x200f, char >= 0x2028 && char <= 0x202e, char >= 0x2066 && char <= 0x2069, char == 0xfeff:
			return '?'
		}
		return char
	}, text)
}

// cell is a value as a table shows it.
func cell(v any, at time.Time) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case []string:
		return strings.Join(v, " ")
	case time.Time:
		return Ago(v, at)
	case time.Duration:
		return Duration(v)
	case json.RawMessage:
		return string(v)
	}
	return fmt.Sprint(v)
}

// Duration is a length of time in at most two units: 12ms, 0.4s, 41s, 2m 1s, 19m, 3d 4h.
func Duration(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	two := func(big time.Duration, unit string, small time.Duration, part string) string {
		text := fmt.Sprintf("%s%d%s", sign, d/big, unit)
		if rest := d % big / small; rest > 0 {
			text += fmt.Sprintf(" %d%s", rest, part)
		}
		return text
	}
	const day = 24 * time.Hour
	switch {
	case d >= time.Millisecond && d < 100*time.Millisecond:
		return fmt.Sprintf("%s%dms", sign, d/time.Millisecond)
	case d < 10*time.Second:
		return sign + strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', 1, 64) + "s"
	case d < time.Minute:
		return fmt.Sprintf("%s%ds", sign, d/time.Second)
	case d < 10*time.Minute:
		return two(time.Minute, "m", time.Second, "s")
	case d < time.Hour:
		return fmt.Sprintf("%s%dm", sign, d/time.Minute)
	case d < day:
		return two(time.Hour, "h", time.Minute, "m")
	}
	return two(day, "d", time.Hour, "h")
}

// Between is the time between two moments, whichever is first.
func Between(a, b time.Time) string { return Duration(b.Sub(a).Abs()) }

// Ago is a moment as seen from another: "3m ago", "now", "in 41m".
func Ago(t, at time.Time) string {
	if at.IsZero() {
		return t.UTC().Format(time.RFC3339)
	}
	if t.After(at) {
		return "in " + Between(t, at)
	}
	if at.Sub(t) < 100*time.Millisecond {
		return "now"
	}
	return Between(t, at) + " ago"
}
