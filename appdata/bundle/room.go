package bundle

import (
	"errors"

	"github.com/coterie-ha/coterie/appdata"
)

// room wants room for all that is staged, and a twentieth of that more.
func (im Import) room(d *desk, p *Plan) error {
	var bytes, files int64
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Action != Keep && c.Action != Delete && c.Kind == appdata.File {
			bytes += c.is.Size
			files++
		}
	}
	dir, err := d.root.Open(d.dir)
	if err != nil {
		return err
	}
	free, names, err := roomAt(dir)
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	if free >= 0 && free < bytes+bytes/20 {
		return fault(TooLarge, "", "%d bytes are needed, and %d are free", bytes+bytes/20, free)
	}
	if names >= 0 && names < files+10 {
		return fault(TooLarge, "", "%d files are needed, and there is room for %d", files+10, names)
	}
	return nil
}
