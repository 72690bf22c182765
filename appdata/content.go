package appdata

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
)

// Content is what one of the files has that a probe was asked to read.
type Content struct {
	Path   string `json:"path"`             // below the share
	SHA256 string `json:"sha256,omitempty"` // empty: there is no such file, or Err says why it is not known
	Err    string `json:"err,omitempty"`
}

// Contents are what the files of Share.Files have. They stand beside a Condition,
// since what is wrong with them is nothing wrong with the share.
type Contents []Content

// Of is the content of one file; false when nobody could look.
func (c *Contents) Of(name string) (Content, bool) {
	if c == nil {
		return Content{}, false
	}
	for _, one := range *c {
		if one.Path == name {
			return one, true
		}
	}
	return Content{}, false
}

// mostContent bounds what is read of one file.
const mostContent = 4 << 20

func (s Share) readContents(c *Condition, root *os.Root) {
	if len(s.Files) == 0 {
		return
	}
	found := Contents{}
	for _, name := range s.Files {
		one := Content{Path: name}
		data, err := readSmall(root, path.Dir(name), path.Base(name), mostContent)
		damaged, unfit := errors.AsType[*damagedError](err)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case unfit:
			one.Err = valid(damaged.cause.Error())
		case err != nil:
			one.Err = valid(withoutName(err).Error())
		default:
			sum := sha256.Sum256(data)
			one.SHA256 = hex.EncodeToString(sum[:])
		}
		found = append(found, one)
	}
	c.Contents = &found
}
