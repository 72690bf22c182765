package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/jobs"
)

// jobCase is what there is to know of a job at a moment.
type jobCase struct {
	*story
	k        *cluster
	name     string
	now      time.Time
	zone     *time.Location
	zoneName string
	job      *table.Rows // its definition; none when it was removed
	schedule *jobs.Schedule
	lease    string
}

const (
	slotWhere  = `WHERE v.job = $1 AND v.due_at = ANY (ARRAY(SELECT unnest(coterie.slots_before($1, $2, 1, false))))`
	laterWhere = `WHERE v.job = $1 AND v.due_at = ANY (ARRAY(SELECT unnest(coterie.slots_from($1, $2, 1))))`
)

func (k *cluster) whyJob(ctx context.Context, s *story, at string, now time.Time) error {
	j := &jobCase{story: s, k: k, name: s.subject, now: now, zone: time.UTC, zoneName: "UTC", lease: "job/" + s.subject}
	s.more = "jobs " + s.subject
	var err error
	if j.job, err = k.rows(ctx, "jobs", "WHERE v.name = $1", j.name); err != nil {
		return err
	}
	if j.job.Len() > 0 {
		r := j.job.Row(0)
		if parsed, err := jobs.Parse(r.Text("schedule"), r.Text("time_zone")); err == nil {
			j.schedule = &parsed
		}
		if zone, err := time.LoadLocation(r.Text("time_zone")); err == nil {
			j.zone, j.zoneName = zone, r.Text("time_zone")
		}
	}
	if s.at, err = parseMoment(at, j.zone, now); err != nil {
		return err
	}
	if s.at.zero() {
		err = j.tellNow(ctx)
	} else {
		err = j.tellAt(ctx)
	}
	s.inOrder()
	return err
}

// when is a slot in a sentence: in the job's own zone, and in UTC.
func (j *jobCase) when(t time.Time) string {
	if j.zoneName == "UTC" {
		return utc(t)
	}
	return fmt.Sprintf("%s %s (%s)", exactly(t.In(j.zone)), j.zoneName, utc(t))
}

// tellNow tells how the job stands, then of its last slot.
func (j *jobCase) tellNow(ctx context.Context) error {
	if j.job.Len() == 0 {
		if err := j.tellRemoved(ctx); err != nil {
			return err
		}
	} else {
		j.tellStanding()
		if err := j.tellRequests(ctx); err != nil {
			return err
		}
	}
	// How its definition came about.
	before := j.now.Add(time.Second)
	err := j.k.tellLast(ctx, j.story, j.lease, before, "job.created", "job.changed", "job.removed", "job.requested", "job.withdrawn", "job.paused", "job.unpaused")
	if err != nil {
		return err
	}
	if err := j.k.tellLast(ctx, j.story, "jobs", before, "job.paused", "job.unpaused"); err != nil {
		return err
	}
	slot, err := j.k.rows(ctx, "runs", slotWhere, j.name, "infinity")
	if err != nil || slot.Len() == 0 {
		return err
	}
	j.runs = slot
	j.tellSlot("Its last slot", slot.Row(0))
	return j.tellContext(ctx, slot.Row(0).Time("due_at"), first(slot))
}

// tellStanding is the job at this moment.
func (j *jobCase) tellStanding() {
	r := j.job.Row(0)
	next, runner := r.Time("next_due_at"), r.Text("runner")
	paused := r.Text("paused_at") != ""
	switch {
	case !r.Bool("enabled"):
		j.say("%s is switched off: %s", j.name, sentence(orElse(r.Text("message"), "disabled by "+r.Text("changed_by"))))
	case r.Text("running_since") != "":
		j.say("%s is %s", j.name, sentence(r.Text("message")))
	case paused:
		j.say("%s is %s", j.name, sentence(r.Text("message")))
	case r.Bool("queue"):
		j.say("%s runs when somebody asks for it, on any node that has room.", j.name)
	case next.IsZero():
		j.say("%s has no further slot.", j.name)
	case next.After(j.now):
		j.say("%s is due next at %s, in %s%s.", j.name, j.when(next), table.Duration(next.Sub(j.now)), onNode(runner))
	default:
		j.say("%s was due at %s, and nothing is known of it yet.", j.name, j.when(next))
	}
	if message := r.Text("message"); r.Bool("queue") && strings.HasPrefix(message, "no ready node") {
		j.say("Nobody can run it: %s", sentence(message))
	} else if r.Bool("enabled") && runner == "" && !r.Bool("queue") && !paused {
		j.say("Nobody runs it: %s", sentence(r.Text("message")))
	}
	if paused && r.Bool("enabled") {
		j.say("Nothing more is begun until it is unpaused; what is asked for waits, and slots meanwhile are recorded as skipped then.")
	}
	if n := r.Int("failures_in_row"); n > 1 {
		j.say("It has not succeeded %d times in a row.", n)
	}
}

// mostRequests bounds how many requests are told one by one.
const mostRequests = 5

// tellRequests tells what the runs wait for that were asked for.
func (j *jobCase) tellRequests(ctx context.Context) error {
	waiting, err := j.k.rows(ctx, "requests", "WHERE v.job = $1 AND v.state <> 'running' ORDER BY v.id LIMIT $2", j.name, mostRequests)
	if err != nil {
		return err
	}
	for i := range waiting.Len() {
		r := waiting.Row(i)
		j.say("%s asked for a run at %s, which has not begun: %s", r.Text("requested_by"), utc(r.Time("due_at")), sentence(r.Text("message")))
	}
	return nil
}

func onNode(runner string) string {
	if runner == "" {
		return ""
	}
	return ", on " + runner
}

func (j *jobCase) tellRemoved(ctx context.Context) error {
	gone, ok, err := j.k.last(ctx, j.lease, j.now.Add(time.Hour), "job.removed")
	if err != nil {
		return err
	}
	if !ok {
		j.say("There is no job %s any more; its history is still here.", j.name)
		return nil
	}
	j.say("There is no job %s any more: %s.", j.name, dated(gone))
	return nil
}

// tellAt tells of the slot that was due at a moment, or why there was none.
func (j *jobCase) tellAt(ctx context.Context) error {
	slot, err := j.k.rows(ctx, "runs", slotWhere, j.name, j.at.until())
	if err != nil {
		return err
	}
	if slot.Len() > 0 && j.at.holds(slot.Row(0).Time("due_at")) {
		j.runs = slot
		j.tellSlot(j.name, slot.Row(0))
		return j.tellContext(ctx, slot.Row(0).Time("due_at"), first(slot))
	}
	later, err := j.k.rows(ctx, "runs", laterWhere, j.name, j.at.until())
	if err != nil {
		return err
	}
	told, err := j.tellNoRow(ctx, slot, later)
	if err != nil || told {
		return err
	}
	// Not a slot of its schedule: what was before?
	if slot.Len() > 0 {
		j.runs = slot
		j.tellSlot("The slot before", slot.Row(0))
		return j.tellContext(ctx, slot.Row(0).Time("due_at"), first(slot))
	}
	return nil
}

// tellNoRow tells why no slot of that moment has a row. It has told all when
// what stands before the moment has nothing to do with it.
func (j *jobCase) tellNoRow(ctx context.Context, before, later *table.Rows) (told bool, err error) {
	due := j.due()
	state, known, err := j.k.last(ctx, j.lease, j.at.until(), "job.created", "job.changed", "job.removed")
	if err != nil {
		return false, err
	}
	var created *table.Row
	if !known && before.Len() == 0 {
		if created, err = j.created(ctx); err != nil {
			return false, err
		}
	}
	switch {
	case j.at.from.After(j.now):
		j.say("That is in the future; %s.", j.planned(due))
		return true, nil
	case known && state.Text("kind") == "job.removed":
		j.say("%s did not exist at %s: %s.", j.name, j.when(j.at.from), dated(state))
	case created != nil:
		j.say("%s did not exist at %s: %s.", j.name, j.when(j.at.from), dated(*created))
		return true, nil
	case wasDisabled(state, known):
		j.say("%s was switched off at %s: %s. Slots are not owed while a job rests.", j.name, j.when(j.at.from), dated(state))
	case j.standsFor(later):
		r := later.Row(0)
		j.runs = later
		j.say("The slot of %s has no row of its own; the row of %s stands for it: %s", j.when(j.at.from), j.when(r.Time("due_at")), sentence(r.Text("reason")))
		return true, j.tellContext(ctx, r.Time("due_at"), &r)
	case j.notOwed(due):
		j.say("The slot of %s was not owed: the schedule as it is counts from %s.", j.when(due), utc(j.job.Row(0).Time("since")))
	case !due.IsZero() && before.Len() == 0:
		j.say("The history of %s begins after %s: older runs are no longer kept.", j.name, j.when(due))
		return true, nil
	case !due.IsZero() && later.Len() == 0:
		j.say("%s was due at %s, and nothing is known of it yet.", j.name, j.when(due))
		j.tellStanding()
		return true, j.tellContext(ctx, due, nil)
	case !due.IsZero():
		j.say("The schedule as it is now has a slot at %s; it has no row, so it was not a slot then.", j.when(due))
	default:
		j.say("%s was not due at %s; %s.", j.name, j.when(j.at.from), j.planned(time.Time{}))
	}
	return false, nil
}

// created is the event that made the job after the moment; nil for none.
func (j *jobCase) created(ctx context.Context) (*table.Row, error) {
	rows, err := j.k.rows(ctx, "events", createdWhere, j.lease, j.at.from)
	if err != nil || rows.Len() == 0 {
		return nil, err
	}
	return first(rows), nil
}

const createdWhere = `WHERE v.subject = $1 AND v.kind = 'job.created' AND v.at >= $2 ORDER BY v.id LIMIT 1`

// due is the slot that the schedule has in the moment; zero for none.
func (j *jobCase) due() time.Time {
	if j.schedule == nil {
		return time.Time{}
	}
	next := j.schedule.Next(j.at.from.Add(-time.Microsecond))
	if next.IsZero() || !j.at.holds(next) {
		return time.Time{}
	}
	return next
}

// planned says when the schedule is due around the moment.
func (j *jobCase) planned(due time.Time) string {
	switch {
	case !due.IsZero():
		return fmt.Sprintf("%s will be due at %s", j.name, j.when(due))
	case j.schedule == nil:
		return "its schedule is not known any more"
	}
	next := j.schedule.Next(j.at.from)
	if next.IsZero() {
		return "its schedule has no slot after that"
	}
	return fmt.Sprintf("its schedule (%s) has the next slot after that at %s", j.schedule, j.when(next))
}

func (j *jobCase) notOwed(due time.Time) bool {
	return !due.IsZero() && j.job.Len() > 0 && due.Before(j.job.Row(0).Time("since"))
}

// standsFor tells whether the next row accounts for slots before it, too.
func (j *jobCase) standsFor(later *table.Rows) bool {
	return later.Len() > 0 && strings.Contains(later.Row(0).Text("reason"), "stands also for")
}

func wasDisabled(state table.Row, known bool) bool {
	if !known {
		return false
	}
	return newValue(state, "enabled") == "false"
}

// tellContext tells what happened around a slot: to its lease, to the nodes that
// had to do with it, to the database.
func (j *jobCase) tellContext(ctx context.Context, due time.Time, run *table.Row) error {
	from, to := due.Add(-2*time.Minute), due.Add(2*time.Minute)
	if run != nil {
		j.tellRun(*run)
		if end := run.Time("finished_at"); end.After(to) {
			to = end.Add(time.Second)
		}
	}
	if to.After(j.now) {
		to = j.now
	}
	// What became of the lease last before the slot, however long ago.
	held, known, err := j.k.last(ctx, j.lease, due, "lease.claimed", "lease.released")
	if err != nil {
		return err
	}
	names := []string{j.lease, j.k.cfg.Cluster, "database"}
	if run != nil {
		names = append(names, run.Text("node"))
	}
	if known {
		names = append(names, held.Text("node"), held.Text("peer"))
		if at := held.Time("at"); at.Before(from) {
			j.around = append(j.around, episode{at, tellEvent(held)})
		}
	}
	after, err := j.k.rows(ctx, "events", spanWhere, pq.StringArray{j.lease}, from, to, mostAround)
	if err != nil {
		return err
	}
	for i := range after.Len() {
		names = append(names, after.Row(i).Text("node"), after.Row(i).Text("peer"))
	}
	return j.k.tellAround(ctx, j.story, from, to, distinct(names)...)
}
