// Package properties reads and changes files in Java's own form, such as
// installed.properties, as java.util.Properties reads them, and leaves each byte
// that it was not told to change as it is.
package properties

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf16"
)

// Text is a file in Java's own form, such as installed.properties. It is
// changed without a change to any other byte: comments, order, line ends and
// encoding are other people's.
//
//	key=value    key: value    key value    ! and # begin comments
//	\ at the end continues a line; \n, \:, \u00fc and the like stand for characters
type Text []byte

// Most bounds such a file.
const Most = 4 << 20

// ErrNot means that a text cannot be a file of properties.
var ErrNot = errors.New("not a file of properties")

// span is where a property stands: all of it with its line ends, and its value.
type span struct {
	begin, keyEnd, value, end int // end is before the end of the line
	key                       string
}

// Get is the value of a key, and whether there is one. Of several the last counts,
// as for Java.
func (p Text) Get(key string) (string, bool) {
	at, ok := p.find(key)
	if !ok {
		return "", false
	}
	return unescape(p[at.value:at.end]), true
}

// Set gives a key a value. A key that is not there is added at the end.
func (p Text) Set(key, value string) (Text, error) {
	if bytes.ContainsRune(p, 0) || len(p) > Most {
		return nil, fmt.Errorf("%w: %d bytes, with NULs or too many", ErrNot, len(p))
	}
	if at, ok := p.find(key); ok {
		if unescape(p[at.value:at.end]) == value {
			return p, nil
		}
		written := escape(value, false)
		if at.value == at.keyEnd && oddBackslashes(p[at.begin:at.keyEnd]) {
			return nil, fmt.Errorf("%w: %q is continued by nothing", ErrNot, key)
		}
		if at.value == at.keyEnd {
			written = "=" + written // a key that stood there alone
		}
		return bytes.Join([][]byte{p[:at.value], []byte(written), p[at.end:]}, nil), nil
	}
	end := p.lineEnd()
	out := bytes.Clone(p)
	if p.continues() {
		return nil, fmt.Errorf("%w: its last line is continued by nothing", ErrNot)
	}
	if len(out) > 0 && out[len(out)-1] != '\n' && out[len(out)-1] != '\r' {
		out = append(out, end...)
	}
	return append(append(out, escape(key, true)+"="+escape(value, false)...), end...), nil
}

// lineEnd is how lines end in the file.
func (p Text) lineEnd() string {
	if i := bytes.IndexByte(p, '\n'); i > 0 && p[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// continues tells whether the last line waits for another, be there an end of line
// behind it or not. A comment is over with its line.
func (p Text) continues() bool {
	open := false
	p.each(func(begin, end int) {
		first := skip(p, begin)
		comment := first < len(p) && (p[first] == '#' || p[first] == '!')
		open = !comment && afterStop(p, end) >= len(p) && oddBackslashes(p[begin:end])
	})
	return open
}

// find is the last property of a key.
func (p Text) find(key string) (found span, ok bool) {
	p.each(func(begin, end int) {
		if at, is := p.property(begin, end); is && at.key == key {
			found, ok = at, true
		}
	})
	return found, ok
}

// each walks over logical lines: those that a backslash continues are one, but a
// comment is never continued.
func (p Text) each(line func(begin, end int)) {
	for at := 0; at < len(p); {
		begin, first := at, skip(p, at)
		comment := first < len(p) && (p[first] == '#' || p[first] == '!')
		blank := first >= len(p) || p[first] == '\n' || p[first] == '\r'
		for {
			end := lineStop(p, at)
			next := afterStop(p, end)
			if comment || blank || !oddBackslashes(p[at:end]) || next >= len(p) {
				line(begin, end)
				at = next
				break
			}
			at = next
		}
	}
}

// property is what a logical line says, if it is no comment and not empty.
func (p Text) property(begin, end int) (span, bool) {
	at := skip(p[:end], begin)
	if at >= end || p[at] == '#' || p[at] == '!' {
		return span{}, false
	}
	key := at
	for at < end && !space(p[at]) && p[at] != '=' && p[at] != ':' {
		if p[at] == '\\' {
			at = escapeEnd(p[:end], at)
			continue
		}
		if p[at] == '\n' || p[at] == '\r' {
			break
		}
		at++
	}
	s := span{begin: key, keyEnd: at, end: end, key: unescape(p[key:at])}
	at = skipContinued(p[:end], at)
	if at < end && (p[at] == '=' || p[at] == ':') {
		at = skipContinued(p[:end], at+1)
	}
	s.value = at
	return s, true
}

// escapeEnd is where an escape that begins at a backslash is over. A backslash at
// the end of a line takes the white space of the next line along.
func escapeEnd(p []byte, at int) int {
	if at+1 >= len(p) {
		return len(p)
	}
	if p[at+1] == '\n' || p[at+1] == '\r' {
		return skip(p, afterStop(p, at+1))
	}
	return at + 2
}

// skipContinued skips white space, and line ends that a backslash continues.
func skipContinued(p []byte, at int) int {
	for {
		at = skip(p, at)
		if at+1 < len(p) && p[at] == '\\' && (p[at+1] == '\n' || p[at+1] == '\r') {
			at = afterStop(p, at+1)
			continue
		}
		return at
	}
}

func space(b byte) bool { return b == ' ' || b == '\t' || b == '\f' }

func skip(p []byte, at int) int {
	for at < len(p) && space(p[at]) {
		at++
	}
	return at
}

func lineStop(p []byte, at int) int {
	for at < len(p) && p[at] != '\n' && p[at] != '\r' {
		at++
	}
	return at
}

func afterStop(p []byte, at int) int {
	if at+1 < len(p) && p[at] == '\r' && p[at+1] == '\n' {
		return at + 2
	}
	return min(at+1, len(p))
}

func oddBackslashes(line []byte) bool {
	n := len(line) - len(bytes.TrimRight(line, `\`))
	return n%2 == 1
}

// unescape reads ISO 8859-1 with Java's escapes.
func unescape(p []byte) string {
	var units []uint16
	for at := 0; at < len(p); {
		if p[at] != '\\' {
			units = append(units, uint16(p[at]))
			at++
			continue
		}
		next := escapeEnd(p, at)
		if at+1 < len(p) && p[at+1] != '\n' && p[at+1] != '\r' {
			unit, taken := escaped(p[at+1:])
			units = append(units, unit)
			next = at + 1 + taken
		}
		at = next
	}
	return string(utf16.Decode(units))
}

// escaped is what stands behind a backslash, and its length.
func escaped(p []byte) (uint16, int) {
	switch p[0] {
	case 't':
		return '\t', 1
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 'f':
		return '\f', 1
	case 'u':
		if len(p) >= 5 {
			unit := uint16(0)
			for _, b := range p[1:5] {
				d, ok := hexDigit(b)
				if !ok {
					return 'u', 1
				}
				unit = unit<<4 | d
			}
			return unit, 5
		}
	}
	return uint16(p[0]), 1
}

func hexDigit(b byte) (uint16, bool) {
	switch {
	case b >= '0' && b <= '9':
		return uint16(b - '0'), true
	case b >= 'a' && b <= 'f':
		return uint16(b-'a') + 10, true
	case b >= 'A' && b <= 'F':
		return uint16(b-'A') + 10, true
	}
	return 0, false
}

// escape writes a key or a value as Java's store does: nothing but ASCII.
func escape(s string, key bool) string {
	var out []byte
	for i, u := range utf16.Encode([]rune(s)) {
		switch {
		case u == ' ' && (key || i == 0):
			out = append(out, `\ `...)
		case u == '\t':
			out = append(out, `\t`...)
		case u == '\n':
			out = append(out, `\n`...)
		case u == '\r':
			out = append(out, `\r`...)
		case u == '\f':
			out = append(out, `\f`...)
		case u == '\\', u == '=', u == ':', u == '#', u == '!':
			out = append(out, '\\', byte(u))
		case u < 0x20 || u > 0x7e:
			out = fmt.Appendf(out, `\u%04X`, u)
		default:
			out = append(out, byte(u))
		}
	}
	return string(out)
}
