package properties

import "bytes"

// Line is the number of the line in which a key's value begins, from 1; 0 when
// there is none.
func (p Text) Line(key string) int {
	at, ok := p.find(key)
	if !ok {
		return 0
	}
	n := 1
	for i := 0; i < at.begin; {
		if i = lineStop(p, i); i >= at.begin {
			break
		}
		i = afterStop(p, i)
		n++
	}
	return n
}

// Raw is the value of a key as it is written, escapes and all, with what stands
// between key and value.
func (p Text) Raw(key string) ([]byte, bool) {
	at, ok := p.find(key)
	if !ok {
		return nil, false
	}
	return bytes.Clone(p[at.keyEnd:at.end]), true
}

// Restore writes what Raw gave behind the key that is there; nil takes the key with
// its line away. A text without the key is left alone.
func (p Text) Restore(key string, raw []byte) Text {
	at, ok := p.find(key)
	switch {
	case !ok:
		return p
	case raw != nil:
		return bytes.Join([][]byte{p[:at.keyEnd], raw, p[at.end:]}, nil)
	}
	begin := at.begin // and the white space before it
	for begin > 0 && space(p[begin-1]) {
		begin--
	}
	return bytes.Join([][]byte{p[:begin], p[afterStop(p, at.end):]}, nil)
}
