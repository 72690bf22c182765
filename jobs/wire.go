package jobs

import (
	"time"
	"unique"
)

// wire is a definition as job_apply reads it and job_list writes it: one key per
// column, durations in milliseconds, what is left out at its default.
type wire struct {
	Name         string     `json:"name"`
	Schedule     string     `json:"schedule,omitempty"`
	TimeZone     string     `json:"time_zone,omitempty"`
	Gap          Gap        `json:"gap,omitempty"`
	Fold         Fold       `json:"fold,omitempty"`
	Starts       *time.Time `json:"starts_at,omitempty"`
	Ends         *time.Time `json:"ends_at,omitempty"`
	JitterMS     int64      `json:"jitter_ms,omitempty"`
	Except       []string   `json:"exceptions,omitempty"`
	Action       string     `json:"action,omitempty"`
	TimeoutMS    int64      `json:"timeout_ms,omitempty"`
	StopGraceMS  int64      `json:"stop_grace_ms,omitempty"`
	Overlap      Overlap    `json:"overlap,omitempty"`
	Misfire      Misfire    `json:"misfire,omitempty"`
	MisfireLimit int        `json:"misfire_limit,omitempty"`
	CatchUpMS    int64      `json:"catch_up_ms,omitempty"`
	Retries      int        `json:"retries,omitempty"`
	RetryAfterMS int64      `json:"retry_after_ms,omitempty"`
	RetryMaxMS   int64      `json:"retry_max_ms,omitempty"`
	OnLost       OnLost     `json:"on_lost,omitempty"`
	WhileAway    WhileAway  `json:"while_away,omitempty"`
	Priority     int        `json:"priority,omitempty"`
	Group        string     `json:"group_name,omitempty"`
	GroupLimit   int        `json:"group_limit,omitempty"`
	Requires     []string   `json:"requires,omitempty"`
	Prefers      []string   `json:"prefers,omitempty"`
	Apart        string     `json:"apart,omitempty"`
	Params       Params     `json:"params,omitempty"`
	KeepMS       int64      `json:"keep_ms,omitempty"`
	LongAfterMS  int64      `json:"long_after_ms,omitempty"`
	Queue        bool       `json:"queue,omitempty"`
	Enabled      bool       `json:"enabled"`
	Generation   int64      `json:"generation"` // of the row that is, or that is to be changed

	// What the database works with, and does not say again.
	EveryMS    int64      `json:"every_ms,omitempty"`
	Since      *time.Time `json:"since,omitempty"`
	FirstDueAt *time.Time `json:"first_due_at,omitempty"`

	// What is not of the definition.
	Owed   []owedWire  `json:"owed,omitempty"` // slots that may have no row yet, for when they are no slots any more
	Pauses []pauseWire `json:"pauses,omitempty"`
}

// owedWire is a slot that nobody will run any more.
type owedWire struct {
	Due  time.Time `json:"due_at"`
	More string    `json:"more,omitempty"` // to say in its reason
}

// pauseWire is a pause that slots may have fallen into which have no row yet.
type pauseWire struct {
	From   time.Time  `json:"from"`
	Until  *time.Time `json:"until"`
	By     string     `json:"by"`
	Reason string     `json:"reason"`
}

func toWire(d Definition) wire {
	ms := time.Duration.Milliseconds
	return wire{
		Name: d.Name, Schedule: d.Schedule, TimeZone: d.TimeZone, Gap: d.Gap, Fold: d.Fold,
		Starts: instant(d.Starts), Ends: instant(d.Ends), JitterMS: ms(d.Jitter), Except: d.Except,
		Action: d.Action, TimeoutMS: ms(d.Timeout), StopGraceMS: ms(d.StopGrace),
		Overlap: d.Overlap, Misfire: d.Misfire, MisfireLimit: d.MisfireLimit, CatchUpMS: ms(d.CatchUp),
		Retries: d.Retries, RetryAfterMS: ms(d.RetryAfter), RetryMaxMS: ms(d.RetryMax), OnLost: d.OnLost,
		WhileAway: d.WhileAway, Priority: d.Priority, Group: d.Group, GroupLimit: d.GroupLimit, Requires: d.Requires, Prefers: d.Prefers, Apart: d.Apart,
		Params: d.Params, KeepMS: ms(d.Keep), LongAfterMS: ms(d.Long), Queue: d.Queue,
		Enabled: !d.Disabled, Generation: d.Generation,
	}
}

func (w wire) definition() Definition {
	const ms = time.Millisecond
	return Definition{
		Name: w.Name, Schedule: once(w.Schedule), TimeZone: once(w.TimeZone), Gap: once(w.Gap), Fold: once(w.Fold),
		Starts: orZero(w.Starts), Ends: orZero(w.Ends), Jitter: time.Duration(w.JitterMS) * ms, Except: w.Except,
		Action: once(w.Action), Timeout: time.Duration(w.TimeoutMS) * ms, StopGrace: time.Duration(w.StopGraceMS) * ms,
		Overlap: once(w.Overlap), Misfire: once(w.Misfire), MisfireLimit: w.MisfireLimit, CatchUp: time.Duration(w.CatchUpMS) * ms,
		Retries: w.Retries, RetryAfter: time.Duration(w.RetryAfterMS) * ms, RetryMax: time.Duration(w.RetryMaxMS) * ms, OnLost: once(w.OnLost),
		WhileAway: once(w.WhileAway), Priority: w.Priority, Group: once(w.Group), GroupLimit: w.GroupLimit, Requires: w.Requires, Prefers: w.Prefers, Apart: w.Apart,
		Params: w.Params, Keep: time.Duration(w.KeepMS) * ms, Long: time.Duration(w.LongAfterMS) * ms, Queue: w.Queue,
		Disabled: !w.Enabled, Since: orZero(w.Since), Generation: w.Generation,
	}
}

// once keeps a word that thousands of jobs say in memory once.
func once[T ~string](word T) T { return unique.Make(word).Value() }

func (w wire) pauses() []Pause {
	var list []Pause
	for _, p := range w.Pauses {
		list = append(list, Pause{From: p.From.UTC(), Until: orZero(p.Until), By: p.By, Reason: p.Reason})
	}
	return list
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
