package migrate

import (
	"errors"
	"io/fs"
	"os"
)

// first notes a name of a file with several, and says whether it is the first one.
func (p *pass) first(s facts, to string) bool {
	key := [2]uint64{s.dev, s.inode}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups[key] = append(p.groups[key], to)
	return len(p.groups[key]) == 1
}

// hardLinks makes one file of the names of one file.
func (p *pass) hardLinks() error {
	for _, names := range p.groups {
		one, err := os.Lstat(names[0])
		if err != nil {
			return err
		}
		for _, other := range names[1:] {
			info, err := os.Lstat(other)
			if err == nil && os.SameFile(one, info) {
				continue
			}
			if err == nil && p.copier.accepts("hard-links") {
				continue
			}
			if err == nil {
				err = os.Remove(other)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			err = os.Link(names[0], other)
			if err != nil && !p.copier.accepts("hard-links") {
				return lossOf("hard-links", err)
			}
			p.boundary("link " + other)
		}
	}
	return nil
}
