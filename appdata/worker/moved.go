package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/coterie-ha/coterie/appdata/migrate"
)

// Moved has a worker of its own read back what a migration has moved to the share.
// tell is called for each mark on the way; an error there ends the reading.
func (p *Pool) Moved(ctx context.Context, r migrate.Reader, tell func(migrate.Mark) error) error {
	err := p.long(ctx, request{Moved: &r}, func(a answer) (done bool, err error) {
		if a.Mark == nil {
			return false, errors.New("it cannot be understood")
		}
		return a.Mark.Done, tell(*a.Mark)
	})
	if err != nil {
		return fmt.Errorf("read back %s: %w", r.Plan, err)
	}
	return nil
}

func serveMoved(ctx context.Context, r migrate.Reader, id int64, say func(answer) error) error {
	err := r.Do(ctx, func(m migrate.Mark) error { return say(answer{ID: id, Mark: &m}) })
	if err != nil {
		return say(answer{ID: id, Error: err.Error()})
	}
	return nil
}
