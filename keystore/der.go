package keystore

import (
	"fmt"
)

// Tags of DER.
const (
	tagInteger   = 0x02
	tagBits      = 0x03
	tagOctets    = 0x04
	tagNull      = 0x05
	tagOID       = 0x06
	tagUTF8      = 0x0c
	tagBMP       = 0x1e
	tagSequence  = 0x30
	tagSet       = 0x31
	tagContext0  = 0xa0 // [0], constructed
	tagImplicit0 = 0x80 // [0], primitive
)

// cursor reads DER from the front. Nothing is copied, so nothing is allocated that
// the file does not have. The first error stays, and all that follows is empty:
// callers ask once, at the end.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	c.rest = nil
}

// next is the tag of the next element, 0 at the end.
func (c *cursor) next() byte {
	if len(c.rest) == 0 {
		return 0
	}
	return c.rest[0]
}

// element is the next element: its tag, its content, and all of it.
func (c *cursor) element() (tag byte, body, whole []byte) {
	if c.err != nil {
		return 0, nil, nil
	}
	in := c.rest
	if len(in) < 2 {
		c.fail("it ends within an element")
		return 0, nil, nil
	}
	tag = in[0]
	if tag&0x1f == 0x1f {
		c.fail("a tag of several bytes")
		return 0, nil, nil
	}
	length, head := int(in[1]), 2
	switch {
	case in[1] == 0x80:
		c.err = fmt.Errorf("%w: BER of indefinite length; write it anew as DER: openssl pkcs12 -in OLD -out all.pem, then openssl pkcs12 -export -in all.pem", ErrUnsupported)
		c.rest = nil
		return 0, nil, nil
	case in[1] > 0x80:
		n := int(in[1] & 0x7f)
		if n > 4 || len(in) < 2+n {
			c.fail("a length of %d bytes", n)
			return 0, nil, nil
		}
		length = 0
		for _, b := range in[2 : 2+n] {
			length = length<<8 | int(b)
		}
		if head += n; in[2] == 0 || length < 0x80 {
			c.fail("a length that is longer written than it need be")
			return 0, nil, nil
		}
	}
	if length < 0 || length > len(in)-head {
		c.fail("an element of %d bytes where %d are left", length, len(in)-head)
		return 0, nil, nil
	}
	c.rest = in[head+length:]
	return tag, in[head : head+length], in[:head+length]
}

// take is the content of the next element, which must have the tag.
func (c *cursor) take(want byte) []byte {
	tag, body, _ := c.element()
	if c.err != nil {
		return nil
	}
	if tag != want {
		if want == tagOctets && tag == 0x24 || want == tagImplicit0 && tag == tagContext0 {
			c.err = fmt.Errorf("%w: BER with octet strings in parts; write it anew with openssl pkcs12", ErrUnsupported)
		}
		c.fail("tag %#02x where %#02x belongs", tag, want)
		return nil
	}
	return body
}

// within reads the inside of the next element.
func (c *cursor) within(tag byte) *cursor {
	body := c.take(tag)
	return &cursor{rest: body, err: c.err}
}

// whole is the next element with its head, which must have the tag.
func (c *cursor) whole(want byte) []byte {
	tag, _, whole := c.element()
	if c.err == nil && tag != want {
		c.fail("tag %#02x where %#02x belongs", tag, want)
	}
	return whole
}

// oid is an object identifier, as its bytes.
func (c *cursor) oid() string { return string(c.take(tagOID)) }

// small is a number of up to 31 bits; no other is sound where one is read here.
func (c *cursor) small() int64 {
	body := c.take(tagInteger)
	if c.err != nil {
		return 0
	}
	if len(body) == 0 || len(body) > 5 {
		c.fail("a number of %d bytes", len(body))
		return 0
	}
	n := int64(int8(body[0]))
	for _, b := range body[1:] {
		n = n<<8 | int64(b)
	}
	return n
}

// into takes on the error of what was read inside.
func (c *cursor) into(inner *cursor) {
	if c.err == nil && inner.err != nil {
		c.err, c.rest = inner.err, nil
	}
}

// end must be the end.
func (c *cursor) end() error {
	if c.err == nil && len(c.rest) > 0 {
		c.fail("%d bytes follow the end", len(c.rest))
	}
	return c.err
}

// element is one of DER, written.
func element(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := []byte{tag}
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func sequence(parts ...[]byte) []byte { return element(tagSequence, parts...) }

func octets(b []byte) []byte { return element(tagOctets, b) }

func identifier(oid string) []byte { return element(tagOID, []byte(oid)) }

func number(n int) []byte {
	body := []byte{byte(n)}
	for n > 0x7f {
		n >>= 8
		body = append([]byte{byte(n)}, body...)
	}
	return element(tagInteger, body)
}
