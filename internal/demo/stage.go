package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Show says where and how the demo is shown.
type Show struct {
	Out    io.Writer
	Size   func() (width, height int) // of the terminal; nil where there is none
	Colour bool
}

// stage is where the demo is shown. On a terminal a board stays below what is
// said, and is drawn anew again and again; elsewhere there are only lines.
type stage struct {
	Show
	begun time.Time

	mu    sync.Mutex // guards the fields below, and what is written
	board []string
	drawn int // lines of the board that are on the screen
}

func newStage(s Show) *stage { return &stage{Show: s, begun: time.Now()} }

func (s *stage) terminal() bool { return s.Size != nil }

// say tells something that just happened, with the time since the demo began.
func (s *stage) say(format string, args ...any) {
	since := time.Since(s.begun)
	stamp := fmt.Sprintf("%2d:%04.1f  ", int(since.Minutes()), since.Seconds()-60*float64(int(since.Minutes())))
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n"+strings.Repeat(" ", len(stamp)))
	s.tell(stamp + text)
}

// tell writes lines as they are, above the board.
func (s *stage) tell(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(s.erase() + text + "\n" + s.paint())
}

// draw replaces the board.
func (s *stage) draw(board []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.board = board
	s.write(s.erase() + s.paint())
}

// write gives up on a reader that has gone: the demo goes on and can still be
// ended in order.
func (s *stage) write(text string) {
	if _, err := io.WriteString(s.Out, text); err != nil {
		s.Out = io.Discard
	}
}

// erase moves to the first line of the board and clears what is below.
func (s *stage) erase() string {
	if s.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", s.drawn)
}

// paint writes the board as far as it fits.
func (s *stage) paint() string {
	s.drawn = 0
	if !s.terminal() || len(s.board) == 0 {
		return ""
	}
	width, height := s.Size()
	var b strings.Builder
	for _, line := range s.board[:min(len(s.board), max(0, height-1))] {
		b.WriteString(s.coloured(cutTo(line, width-1)) + "\n")
		s.drawn++
	}
	return b.String()
}

// cutTo makes a text fit a width.
func cutTo(text string, width int) string {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width])
}

// colours of words that say how something is. They are an ornament: the word
// stands there anyway.
var colours = []struct{ word, colour string }{
	{" ready ", "32"}, {" succeeded", "32"}, {" running", "36"},
	{" dead ", "31"}, {" killed ", "31"}, {" failed", "31"}, {" lost", "31"}, {" timed_out", "31"},
	{" frozen ", "33"}, {" cut off ", "33"}, {" suspect ", "33"}, {" joining ", "33"}, {" missed", "33"}, {" skipped", "33"},
}

func (s *stage) coloured(line string) string {
	if !s.Colour {
		return line
	}
	if strings.HasPrefix(line, " ") || line == "" {
		for _, c := range colours {
			line = strings.Replace(line, c.word, "\x1b["+c.colour+"m"+c.word+"\x1b[0m", 1)
		}
		return line
	}
	return "\x1b[1m" + line + "\x1b[0m"
}
