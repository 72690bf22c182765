package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
)

// shareStep says what init would do to the shared folder: nothing, when it is
// the cluster's already. id is empty while the cluster does not exist yet.
func shareStep(cfg *config.Config, id string) (step string, err error) {
	path := cfg.AppData.Path
	m, err := appdata.ReadMarker(path)
	switch {
	case errors.Is(err, appdata.ErrNoMarker):
		return fmt.Sprintf("mark %s as the share of cluster %s", path, cfg.Cluster), nil
	case err != nil:
		return "", problem.New("COT-309", err, "%s", path)
	case m.Cluster != cfg.Cluster || m.ID != id:
		return "", foreign(&appdata.ForeignError{Path: path, Found: m})
	}
	return "", nil
}

// markShare makes the shared folder the cluster's. Doing it twice is harmless.
func markShare(cfg *config.Config, id string) error {
	err := appdata.CreateMarker(cfg.AppData.Path, appdata.Marker{
		Cluster: cfg.Cluster, ID: id, Generation: 1, Created: time.Now().UTC().Truncate(time.Second),
	})
	if e, ok := errors.AsType[*appdata.ForeignError](err); ok {
		return foreign(e)
	}
	if err != nil {
		return problem.New("COT-309", err, "%s", cfg.AppData.Path)
	}
	return nil
}

func foreign(e *appdata.ForeignError) error {
	p := problem.New("COT-304", nil, "%v", e)
	p.Exit = problem.ExitUsage
	p.Remedy = "name this cluster's own folder in appdata.path; if that cluster is no more, remove " + e.Path + "/.coterie first"
	return p
}
