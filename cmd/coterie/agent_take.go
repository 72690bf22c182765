package main

import (
	"context"
	"encoding/json"
	"path/filepath"

	"github.com/coterie-ha/coterie/appdata"
)

// openTake is a file that this node is to give, or to take.
type openTake struct {
	ID       int64
	Node     string
	Source   string
	Path     string
	State    string
	Class    appdata.Class
	Was      string
	Raw      string
	Size     int64
	Mode     uint32
	UID, GID uint32
}

const openTakesSQL = `
SELECT id, node, source, path, state, class, was, raw, size, mode, uid, gid
FROM coterie.own_takes_open($1)`

// moveTakes does the next step of each file that this node gives or takes. It says
// whether it has written any.
func (a *agent) moveTakes(ctx context.Context, equal appdata.Equal, incarnation int64) (wrote bool, err error) {
	var open []openTake
	if err := a.work.SelectContext(ctx, &open, openTakesSQL, a.cfg.Node.Name); err != nil {
		return false, err
	}
	for _, o := range open {
		t := appdata.Take{
			ID: o.ID, Share: a.shareNow(), Root: a.cfg.Equal.Root, Equal: equal, Path: o.Path, Was: o.Was, Keep: filepath.Join(a.cfg.Node.StateDir, "replaced"),
			Taken: appdata.Taken{Raw: o.Raw, Size: o.Size, Mode: o.Mode, UID: o.UID, GID: o.GID},
		}
		next := ""
		switch o.State {
		case "asked":
			t.Step, next = appdata.Give, "given"
		case "given":
			t.Step, next = appdata.Put, "taken"
		default:
			t.Step = appdata.Drop
		}
		// What was begun is ended also when the agent is told to stop.
		working := context.WithoutCancel(ctx)
		done, failed := a.share.Take(working, t)
		if t.Step == appdata.Drop {
			continue
		}
		said := ""
		if failed != nil {
			next, said = "failed", failed.Error()
			a.log.Warn("file not brought from another node", "path", o.Path, "from", o.Source, "to", o.Node, "err", failed)
		} else if next == "taken" {
			wrote = true
			facts := []any{"path", o.Path, "from", o.Source, "backup", done.Backup}
			if o.Class != appdata.Secret {
				facts = append(facts, "sha256", done.Raw)
			}
			a.log.Info("file taken from another node", facts...)
		}
		moved, err := a.tellTake(working, incarnation, o.ID, next, done, said)
		if err != nil {
			return wrote, err
		}
		if next == "given" && moved {
			continue
		}
		t.Step = appdata.Drop
		if _, err := a.share.Take(working, t); err != nil {
			a.log.Warn("copy of a file left in the share", "request", o.ID, "err", err)
		}
	}
	return wrote, nil
}

func (a *agent) tellTake(ctx context.Context, incarnation, id int64, state string, done appdata.Taken, said string) (moved bool, err error) {
	text, err := json.Marshal(done)
	if err != nil {
		return false, err
	}
	if said != "" {
		text = []byte("{}")
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
	defer cancel()
	conn, err := a.work.Connx(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	err = conn.GetContext(ctx, &moved, `SELECT coterie.own_take_move($1, $2, $3, $4, $5, $6)`, a.cfg.Node.Name, incarnation, id, state, string(text), said)
	return moved, err
}
