package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// restAfterKill is how long a node that was killed stays down: longer than its
// session can last.
const restAfterKill = sessionTTL + 2*time.Second

// movedWithin is how long is waited for others to take over.
const movedWithin = 4 * sessionTTL

func (t takeover) String() string {
	return fmt.Sprintf("%-21s  %s -> %s  after %s  (token %d)", t.Lease, t.From, t.To, short(t.After), t.Token)
}

// short is a number of seconds as exactly as it matters.
func short(seconds float64) string {
	if seconds < 1 {
		return fmt.Sprintf("%.0f ms", seconds*1000)
	}
	return fmt.Sprintf("%.1f s", seconds)
}

const heldBySQL = `SELECT name FROM coterie.leases WHERE holder = $1 AND valid ORDER BY name`

// killShown kills a node or a part of it, and tells who takes over, and when.
func (d *demo) killShown(ctx context.Context, n *node, what victim, rest time.Duration, say func(string, ...any)) error {
	var held []string
	if err := d.db.SelectContext(ctx, &held, heldBySQL, n.name); err != nil {
		return fmt.Errorf("look what %s holds: %w", n.name, err)
	}
	since, err := clock(ctx, d.db)
	if err != nil {
		return err
	}
	pid, err := n.kill(what, rest)
	if err != nil {
		return err
	}
	whose := map[victim]string{
		victimAll:        "all of " + n.name + ", as if the power went",
		victimAgent:      fmt.Sprintf("the agent of %s (process %d)", n.name, pid),
		victimSupervisor: fmt.Sprintf("the supervisor of %s (process %d)", n.name, pid),
	}[what]
	say("kill -9 of %s. It holds %s", whose, count(len(held), "lease"))
	moved, err := d.awaitMoves(ctx, n.name, since, held)
	for _, t := range moved {
		say("  %s", t)
	}
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.moves = append(d.moves, moved...)
	d.mu.Unlock()
	say("  %s is started again %v after its end", n.name, rest)
	return nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

const vacantSQL = `
SELECT count(*) FROM coterie.leases
WHERE name = ANY (string_to_array($1, ' ')) AND NOT (valid AND holder <> $2)`

// awaitMoves waits until others hold all that a node held, and returns what they
// had to take over.
func (d *demo) awaitMoves(ctx context.Context, from string, since time.Time, held []string) ([]takeover, error) {
	for begun := time.Now(); ; {
		var vacant int
		if err := d.db.GetContext(ctx, &vacant, vacantSQL, strings.Join(held, " "), from); err != nil {
			return nil, fmt.Errorf("look who holds what %s held: %w", from, err)
		}
		if vacant == 0 || time.Since(begun) > movedWithin {
			moved, err := takeovers(ctx, d.db, since, from)
			return slices.DeleteFunc(moved, func(t takeover) bool { return t.Cause != causeCrash }), err
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// freezeShown freezes a node, and tells who takes over.
func (d *demo) freezeShown(ctx context.Context, n *node, say func(string, ...any)) error {
	if doing := n.doing(); doing == "frozen" {
		say("%s is frozen already", n.name)
		return nil
	}
	var held []string
	if err := d.db.SelectContext(ctx, &held, heldBySQL, n.name); err != nil {
		return fmt.Errorf("look what %s holds: %w", n.name, err)
	}
	since, err := clock(ctx, d.db)
	if err != nil {
		return err
	}
	if err := n.freeze(); err != nil {
		return err
	}
	say("all of %s is frozen (SIGSTOP), as if suspended. It holds %s", n.name, count(len(held), "lease"))
	moved, err := d.awaitMoves(ctx, n.name, since, held)
	for _, t := range moved {
		say("  %s", t)
	}
	if err != nil {
		return err
	}
	say("%s knows nothing of it yet: coterie demo thaw %s", n.name, n.name)
	return nil
}

// thawShown lets a frozen node go on, and tells what comes of its old authority.
func (d *demo) thawShown(ctx context.Context, n *node, say func(string, ...any)) error {
	if n.doing() != "frozen" {
		say("%s is not frozen", n.name)
		return nil
	}
	before, err := d.witness().tell()
	if err != nil {
		return err
	}
	since, err := clock(ctx, d.db)
	if err != nil {
		return err
	}
	if err := n.thaw(); err != nil {
		return err
	}
	say("%s goes on as if nothing had happened", n.name)
	if err := wait(ctx, 2*time.Second); err != nil {
		return err
	}
	after, err := d.witness().tell()
	if err != nil {
		return err
	}
	refused := 0
	for _, t := range after[len(before):] {
		if t.Says == saysRefused && t.Node == n.name {
			refused++
			say("  write refused on the share: %s of %s, token %d < %d", t.Job, n.name, t.Token, newest(after, t.Job))
		}
	}
	if refused == 0 {
		say("  none of its runs came to write with an old token: they were stopped first")
	}
	return d.sayEnds(ctx, n.name, since, say)
}

const endsSQL = `
SELECT format('%s of %s: %s, %s', job, to_char(due_at AT TIME ZONE 'UTC', 'HH24:MI:SS'), outcome, reason)
FROM coterie.runs
WHERE node = $1 AND outcome = 'lost' AND finished_at > $2::timestamptz - interval '1 minute'
ORDER BY due_at DESC
LIMIT 4`

func (d *demo) sayEnds(ctx context.Context, name string, since time.Time, say func(string, ...any)) error {
	var lines []string
	if err := d.db.SelectContext(ctx, &lines, endsSQL, name, since); err != nil {
		return fmt.Errorf("look what became of the runs of %s: %w", name, err)
	}
	for _, line := range lines {
		say("  %s", line)
	}
	return nil
}
