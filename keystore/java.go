package keystore

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
)

// javaReader reads what Java's DataOutputStream wrote, as cursor reads DER.
type javaReader struct {
	rest []byte
	err  error
}

func (r *javaReader) take(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.rest)) {
		r.err = fmt.Errorf("%w: %d bytes where %d are left", ErrMalformed, uint32(n), len(r.rest))
	}
	if r.err != nil {
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *javaReader) u8() int {
	if b := r.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *javaReader) u16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *javaReader) u32() int {
	if b := r.take(4); b != nil {
		return int(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *javaReader) i64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// text is Java's "modified UTF-8": surrogates one by one, and NUL as two bytes.
func (r *javaReader) text() string {
	b := r.take(r.u16())
	units := make([]uint16, 0, len(b))
	for len(b) > 0 {
		switch {
		case b[0] < 0x80 && b[0] != 0:
			units, b = append(units, uint16(b[0])), b[1:]
		case b[0]&0xe0 == 0xc0 && len(b) > 1 && b[1]&0xc0 == 0x80:
			units, b = append(units, uint16(b[0]&0x1f)<<6|uint16(b[1]&0x3f)), b[2:]
		case b[0]&0xf0 == 0xe0 && len(b) > 2 && b[1]&0xc0 == 0x80 && b[2]&0xc0 == 0x80:
			units, b = append(units, uint16(b[0]&0x0f)<<12|uint16(b[1]&0x3f)<<6|uint16(b[2]&0x3f)), b[3:]
		default:
			r.err = firstOf(r.err, fmt.Errorf("%w: a text that is not Java's UTF-8", ErrMalformed))
			return ""
		}
	}
	return string(utf16.Decode(units))
}

func javaText(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		switch {
		case u != 0 && u < 0x80:
			out = append(out, byte(u))
		case u < 0x800:
			out = append(out, 0xc0|byte(u>>6), 0x80|byte(u&0x3f))
		default:
			out = append(out, 0xe0|byte(u>>12), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
		}
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)
}
