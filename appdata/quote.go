package appdata

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote writes a path, which may be any bytes, as one line of valid UTF-8: what
// cannot be shown, and the backslash itself, becomes \xNN for each of its bytes.
// Two paths never look alike, and Unquote gives the path back.
func Quote(path string) string {
	if plain(path) {
		return path
	}
	var b strings.Builder
	for len(path) > 0 {
		r, n := utf8.DecodeRuneInString(path)
		if shows(r, n) {
			b.WriteString(path[:n])
		} else {
			for i := range n {
				fmt.Fprintf(&b, `\x%02x`, path[i])
			}
		}
		path = path[n:]
	}
	return b.String()
}

func plain(path string) bool {
	for i := 0; i < len(path); i++ {
		if c := path[i]; c < ' ' || c >= 0x7f || c == '\\' {
			return quotesNothing(path[i:])
		}
	}
	return true
}

func quotesNothing(path string) bool {
	for len(path) > 0 {
		r, n := utf8.DecodeRuneInString(path)
		if !shows(r, n) {
			return false
		}
		path = path[n:]
	}
	return true
}

// shows says whether a person sees what a character is.
func shows(r rune, n int) bool {
	return r != '\\' && (r != utf8.RuneError || n > 1) && (r == ' ' || unicode.IsGraphic(r)) && r != '\u2028' && r != '\u2029'
}

// Unquote gives the path that Quote has written.
func Unquote(text string) (string, error) {
	if !strings.Contains(text, `\`) {
		return text, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		if i+3 >= len(text) || text[i+1] != 'x' {
			return "", fmt.Errorf("path %q: a backslash that begins no \\xNN", text)
		}
		c, err := strconv.ParseUint(text[i+2:i+4], 16, 8)
		if err != nil {
			return "", fmt.Errorf("path %q: a backslash that begins no \\xNN", text)
		}
		b.WriteByte(byte(c))
		i += 3
	}
	return b.String(), nil
}
