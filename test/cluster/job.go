//go:build linux

package cluster

import (
	"cmp"
	"slices"
	"time"
)

// Job is a job on the grid of an interval.
type Job struct {
	Name    string
	Action  string // witness if empty
	Every   time.Duration
	Misfire string // once if empty
}

// Apply defines jobs.
func (c *Cluster) Apply(jobs ...Job) {
	c.t.Helper()
	type definition struct {
		Name     string    `json:"name"`
		Schedule string    `json:"schedule"`
		Action   string    `json:"action"`
		Every    int64     `json:"every_ms"`
		Misfire  string    `json:"misfire,omitempty"`
		Since    time.Time `json:"since"`
		First    time.Time `json:"first_due_at"`
		Seen     int64     `json:"generation"`
	}
	for some := range slices.Chunk(jobs, 500) { // each is one statement, and has a statement's time
		now := Get[time.Time](c, `SELECT coterie.clock()`)
		var all []definition
		for _, j := range some {
			grid := j.Every.Nanoseconds()
			all = append(all, definition{
				Name: j.Name, Schedule: "@every " + j.Every.String(), Action: cmp.Or(j.Action, "witness"), Every: j.Every.Milliseconds(),
				Misfire: j.Misfire, Since: now, First: time.Unix(0, (now.UnixNano()+grid-1)/grid*grid).UTC(),
			})
		}
		c.Exec(`SELECT coterie.job_apply($1::jsonb)`, c.json(map[string]any{"set": all}))
	}
}
