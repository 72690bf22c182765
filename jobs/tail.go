package jobs

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// tailSize is how much of an action's output is kept with its run.
const tailSize = 8 << 10

// tail keeps the end of what is written to it. It takes any amount without
// growing, and its text is safe to store and to print on a terminal.
type tail struct {
	mu   sync.Mutex // guards the fields below
	buf  []byte     // at most 2 x tailSize, so that most writes only append
	lost bool       // something was cut off before buf
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if n > tailSize {
		p, t.buf, t.lost = p[n-tailSize:], t.buf[:0], true
	}
	if len(t.buf)+len(p) > 2*tailSize {
		keep := t.buf[len(t.buf)+len(p)-tailSize:]
		t.buf, t.lost = append(t.buf[:0], keep...), true
	}
	t.buf = append(t.buf, p...)
	return n, nil
}

// String returns the last tailSize bytes at most, from the beginning of a line
// on if the text has lines.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := printable(t.buf)
	cut := t.lost
	if len(text) > tailSize {
		text, cut = text[len(text)-tailSize:], true
		for !utf8.RuneStart(text[0]) {
			text = text[1:]
		}
	}
	if _, rest, ok := strings.Cut(text, "\n"); cut && ok && rest != "" {
		text = rest
	}
	return strings.TrimRight(text, "\n")
}

// printable replaces what a terminal would obey and PostgreSQL refuse: control
// characters except line ends and tabs, bytes that are no UTF-8, and marks that
// turn the direction of the text around.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return '\n'
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return utf8.RuneError
		}
		return r
	}, strings.ReplaceAll(strings.ToValidUTF8(string(b), "\uFFFD"), "\r\n", "\n"))
}

// oneLine makes a text fit for a column that people read in a list.
func oneLine(text string, most int) string {
	text = strings.Join(strings.Fields(printable([]byte(text))), " ")
	if len(text) <= most {
		return text
	}
	cut := most - len("...")
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}
