package appdata

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// MaxText bounds what is taken for text: larger files are not compared field by field.
const MaxText = 1 << 20

// mask stands where a field is that may differ. It is no text that a file could
// have in its place and mean the same.
const mask = "\x00any\x00"

// Masked stands for a field that may differ, where people read it.
const Masked = "***"

// deepest bounds how far elements may be nested.
const deepest = 1000

var (
	errTooLarge = fmt.Errorf("larger than %d KiB, so not compared field by field", MaxText>>10)
	errNul      = errors.New("has NUL bytes, so not compared field by field")
)

// Normal gives a text with a mask in place of each field that may differ; all else
// stays, to the last blank. What cannot be understood is an error: what would be
// masked in it is a guess.
func (q Equal) Normal(name string, text []byte) ([]byte, error) {
	if len(text) > MaxText {
		return nil, errTooLarge
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, errNul
	}
	var attributes []string
	rules := q.merges(name)
	for _, m := range rules {
		if m.XML != "" {
			attributes = append(attributes, m.XML)
		}
	}
	var err error
	if len(attributes) > 0 { // first, as the masks of others are no XML
		if text, err = maskXML(text, attributes); err != nil {
			return nil, fmt.Errorf("not to be understood as XML: %w", err)
		}
	}
	for _, m := range rules {
		switch {
		case m.Property != "":
			text = maskProperty(text, m.Property)
		case m.Line != "":
			if text, err = maskLines(text, m.Line); err != nil {
				return nil, err
			}
		}
	}
	return text, nil
}

// maskLines masks the lines in which an expression is found.
func maskLines(text []byte, expression string) ([]byte, error) {
	found, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		body, end := cutEnd(line)
		if found.Match(body) {
			body = []byte(mask)
		}
		out.Write(body)
		out.Write(end)
	}
	return out.Bytes(), nil
}

// cutEnd parts a line from its end.
func cutEnd(line []byte) (body, end []byte) {
	body = bytes.TrimSuffix(line, []byte("\n"))
	body = bytes.TrimSuffix(body, []byte("\r"))
	return body, line[len(body):]
}

// maskProperty masks the values of keys in a properties file, with the lines by
// which they go on.
func maskProperty(text []byte, pattern string) []byte {
	var out bytes.Buffer
	for len(text) > 0 {
		line := logicalLine(text)
		text = text[len(line):]
		body, end := cutEnd(line)
		key, value := property(body)
		if key == "" || !fits(pattern, key) {
			out.Write(line)
			continue
		}
		out.Write(body[:value])
		out.WriteString(mask)
		out.Write(end)
	}
	return out.Bytes()
}

// logicalLine is a line with those that a backslash before its end joins to it. A
// comment is never joined to anything.
func logicalLine(text []byte) []byte {
	at := 0
	for {
		next := bytes.IndexByte(text[at:], '\n')
		if next < 0 {
			return text
		}
		body, _ := cutEnd(text[at : at+next+1])
		from := bytes.TrimLeft(text, " \t\f")
		comment := len(from) > 0 && (from[0] == '#' || from[0] == '!')
		slashes := len(body) - len(bytes.TrimRight(body, `\`))
		at += next + 1
		if slashes%2 == 0 || comment {
			return text[:at]
		}
	}
}

// property gives the key of a logical line and where its value begins; no key for a
// comment or a blank line.
func property(line []byte) (key string, value int) {
	const blanks = " \t\f"
	i := len(line) - len(bytes.TrimLeft(line, blanks))
	if i == len(line) || line[i] == '#' || line[i] == '!' {
		return "", 0
	}
	var b strings.Builder
	for ; i < len(line) && !strings.ContainsRune(blanks+"=:\r\n", rune(line[i])); i++ {
		if line[i] == '\\' && i+1 < len(line) {
			i++
		}
		b.WriteByte(line[i])
	}
	skip := func() { i = len(line) - len(bytes.TrimLeft(line[i:], blanks)) }
	skip()
	if i < len(line) && (line[i] == '=' || line[i] == ':') {
		i++
		skip()
	}
	return b.String(), i
}

// maskXML masks the values of attributes, each named by its elements from the root
// and its own name. Nothing else of the text is touched.
func maskXML(text []byte, attributes []string) ([]byte, error) {
	var out bytes.Buffer
	written := 0
	err := eachValue(text, attributes, func(begin, end int) {
		out.Write(text[written:begin])
		out.WriteString(mask)
		written = end
	})
	out.Write(text[written:])
	return out.Bytes(), err
}

// eachValue says where in an XML text the values of attributes are.
func eachValue(text []byte, attributes []string, at func(begin, end int)) error {
	d := xml.NewDecoder(bytes.NewReader(text))
	// Bytes are counted in the text as it is; another encoding than UTF-8 is refused
	// as soon as it shows.
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var way []string
	for {
		begin := int(d.InputOffset())
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			if len(way) > 0 {
				return fmt.Errorf("%s is not closed", way[len(way)-1])
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			way = append(way, spelled(t.Name))
			if len(way) > deepest {
				return fmt.Errorf("more than %d elements deep", deepest)
			}
			for _, value := range values(text[begin:d.InputOffset()], strings.Join(way, "/"), attributes) {
				at(begin+value[0], begin+value[1])
			}
		case xml.EndElement:
			if len(way) == 0 || way[len(way)-1] != spelled(t.Name) {
				return fmt.Errorf("%s is closed and was not opened", spelled(t.Name))
			}
			way = way[:len(way)-1]
		}
	}
}

func spelled(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// values finds in a start tag, which the decoder has accepted, where the values of
// the attributes are that are meant.
func values(tag []byte, element string, attributes []string) (found [][2]int) {
	const blanks = " \t\r\n"
	i := bytes.IndexAny(tag, blanks+"/>")
	for i >= 0 && i < len(tag) {
		i += len(tag[i:]) - len(bytes.TrimLeft(tag[i:], blanks))
		n := bytes.IndexAny(tag[i:], blanks+"=/>")
		if n <= 0 {
			return found
		}
		name := string(tag[i : i+n])
		quote := bytes.IndexAny(tag[i:], `"'`)
		if quote < 0 {
			return found
		}
		begin := i + quote + 1
		size := bytes.IndexByte(tag[begin:], tag[begin-1])
		if size < 0 {
			return found
		}
		for _, a := range attributes {
			if fits(a, element+"@"+name) {
				found = append(found, [2]int{begin, begin + size})
				break
			}
		}
		i = begin + size + 1
	}
	return found
}

// AttributeValues are the values that an XML text has of an attribute, named by its
// elements from the root and its own name: Server/Service/Connector@port. They are as
// they are written, references and all.
func AttributeValues(text []byte, attribute string) ([]string, error) {
	var found []string
	err := eachValue(text, []string{attribute}, func(begin, end int) { found = append(found, string(text[begin:end])) })
	if err != nil {
		return nil, fmt.Errorf("not to be understood as XML: %w", err)
	}
	return found, nil
}
