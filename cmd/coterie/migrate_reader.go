package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// readWord is how far the agent of another node is that reads what was moved.
type readWord struct {
	State    string
	Manifest string
	Node     string
	Files    int64
	Bytes    int64
	Message  string
	Mark     *string
	Others   int64
}

const migrationAskSQL = `SELECT coterie.migration_ask($1, $2, $3, $4)`

const migrationWordSQL = `SELECT state, manifest, node, files, bytes, message, mark::text AS mark, others FROM coterie.migration_word($1)`

// ask has another node's agent read what was moved, and says whether the database
// knows of it.
func (t *teller) ask(ctx context.Context, manifest string) bool {
	if t.k == nil || t.quiet {
		return false
	}
	inside, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var state *string
	if err := t.k.command(inside, &state, migrationAskSQL, t.plan.ID, manifest, t.plan.Machine, caller()); err != nil {
		t.c.say("No other node's agent is asked to read it back: %v", asProblem(err))
		return false
	}
	return state != nil
}

// word is what the database has heard of a reading; State is empty when none was asked for.
func (t *teller) word(ctx context.Context) (w readWord, err error) {
	inside, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err = t.k.db.GetContext(inside, &w, migrationWordSQL, t.plan.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return w, nil
	}
	return w, err
}

// words are what agents have told the database of the share, who may be unable to
// leave their word on it.
func (t *teller) words(ctx context.Context) ([]migrate.Reading, error) {
	if t.k == nil {
		return nil, nil
	}
	w, err := t.word(ctx)
	if err != nil || w.Mark == nil {
		return nil, err
	}
	var m migrate.Mark
	if err := json.Unmarshal([]byte(*w.Mark), &m); err != nil {
		return nil, fmt.Errorf("the word of %s on plan %s: %w", w.Node, t.plan.ID, err)
	}
	return []migrate.Reading{m.Reading}, nil
}

// patienceOfReaders is how long somebody may wait for an agent to begin, or to try again.
const patienceOfReaders = 30 * time.Second

// awaitReader waits until another node's agent has read all, and tells how far it is.
func (c *cli) awaitReader(ctx context.Context, t *teller, p migrate.Plan) (readWord, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var last readWord
	told, idle := time.Now(), time.Now()
	for {
		w, err := t.word(ctx)
		switch {
		case ctx.Err() != nil:
			return last, stillReading(last)
		case err != nil:
			return last, err
		case w.State == "well":
			return w, nil
		case w.State == "bad":
			return w, problem.New("COT-408", nil, "node %s has found files that are not as they were proved: %s", w.Node, w.Message)
		case w.State == "":
			return w, nil // it was taken back meanwhile
		case w.Others == 0:
			c.say("No other node's agent is at work. On another host: coterie migrate verify %s", p.To)
			return w, nil
		case w.State == "asked" && time.Since(idle) > patienceOfReaders:
			return w, stillReading(w)
		case w.Message != "" && w.Message != last.Message:
			c.say("%s could not read it: %s. It is tried again.", w.Node, table.Safe(w.Message))
		case w.State == "asked" && last.State == "":
			c.say("Waiting for the agent of another node to read it. Ctrl-C stops only the waiting.")
		case w.State == "reading" && (w.Node != last.Node || last.State != "reading"):
			c.say("%s reads it through its own mount. Ctrl-C stops only the waiting.", w.Node)
			told = time.Now()
		case w.State == "reading" && time.Since(told) >= tellLines:
			c.say("%s: %d files, %s", w.Node, w.Files, size(w.Bytes))
			told = time.Now()
		}
		if last = w; w.State == "reading" {
			idle = time.Now()
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func stillReading(w readWord) error {
	who := "no node's agent on another host reads it"
	switch {
	case w.State == "reading":
		who = fmt.Sprintf("%s has read %s so far", w.Node, plural(w.Files, "file"))
	case w.Message != "":
		who = fmt.Sprintf("%s could not read it: %s", w.Node, w.Message)
	}
	return problem.New("COT-414", nil, "%s", who)
}

func (w readWord) document() table.Document {
	if w.State == "" {
		return nil
	}
	return table.Document{{Name: "reading", Value: w.State}, {Name: "reader", Value: w.Node}, {Name: "reader_files", Value: w.Files}, {Name: "reader_bytes", Value: w.Bytes}}
}

func (w readWord) text() string {
	if w.State != "well" {
		return ""
	}
	return fmt.Sprintf("Node %s has read %s, %s, through its own mount, and found them well.\n", w.Node, plural(w.Files, "file"), size(w.Bytes))
}
