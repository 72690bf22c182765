package appdata

import "context"

// Touch is the least that shows that a share is alive: the server, and no cache, is
// asked what lies at its path. It may block like a probe. place is another when
// another folder lies there, as when something is mounted or unmounted.
func (s Share) Touch(context.Context) (place string, err error) { return placeID(s.Path) }
