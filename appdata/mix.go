package appdata

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// compared is the digest of what is compared of a file; empty for none.
func (q Equal) compared(name string, text []byte) string {
	if text == nil {
		return ""
	}
	if normal, err := q.Normal(name, text); err == nil && len(q.merges(name)) > 0 {
		text = normal
	}
	return sumOf(text)
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Mix gives a file as another node has it, with this node's fields where they may
// differ. Where the two have not the same number of them, nobody can tell which is which.
func (q Equal) Mix(name string, theirs, ours []byte) ([]byte, error) {
	if len(q.merges(name)) == 0 {
		return theirs, nil
	}
	errUnlike := errors.New("has other fields that may differ than the reference; merge it by hand")
	normal, err := q.Normal(name, theirs)
	if err != nil {
		return nil, err
	}
	mine, err := q.Normal(name, ours)
	if err != nil {
		return nil, err
	}
	kept, ok := maskedValues(mine, ours)
	parts := bytes.Split(normal, []byte(mask))
	if !ok || len(parts) != len(kept)+1 {
		return nil, errUnlike
	}
	var out bytes.Buffer
	for i, part := range parts {
		out.Write(part)
		if i < len(kept) {
			out.Write(kept[i])
		}
	}
	if again, err := q.Normal(name, out.Bytes()); err != nil || !bytes.Equal(again, normal) {
		return nil, errUnlike
	}
	return out.Bytes(), nil
}

// maskedValues are what a text has where its normal form has masks; false when that
// can be read in two ways.
func maskedValues(normal, text []byte) (values [][]byte, ok bool) {
	parts := bytes.Split(normal, []byte(mask))
	if !bytes.HasPrefix(text, parts[0]) {
		return nil, false
	}
	text = text[len(parts[0]):]
	for i, part := range parts[1:] {
		at := bytes.Index(text, part)
		if i == len(parts)-2 {
			at = len(text) - len(part)
			if !bytes.HasSuffix(text, part) {
				return nil, false
			}
		}
		if at < 0 || len(part) == 0 && i < len(parts)-2 {
			return nil, false
		}
		values, text = append(values, text[:at]), text[at+len(part):]
	}
	return values, len(text) == 0
}
