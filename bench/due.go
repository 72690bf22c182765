package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// dueJobs jobs fall due at the same instant each second, on dueNodes nodes.
const (
	dueJobs  = 100
	dueNodes = 4
)

// start is what somebody started: the tick of a job. Times are of this host's clock.
type start struct {
	job string
	due time.Time
	at  time.Time
}

// crew is four nodes of a scheduler that run the jobs.
type crew interface{ stop() error }

// starts collects what all nodes of a crew started.
type starts struct {
	mu  sync.Mutex // guards all
	all []start
}

func (s *starts) add(job string, due, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, start{job, due, at})
}

func (s *starts) take() []start {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// read takes starts from lines "JOB DUE AT" in milliseconds, as other languages tell them.
func (s *starts) read(r io.Reader) error {
	in := bufio.NewScanner(r)
	for in.Scan() {
		word := strings.Fields(in.Text())
		if len(word) != 3 {
			continue // a log line
		}
		due, err := strconv.ParseInt(word[1], 10, 64)
		if err != nil {
			continue
		}
		at, err := strconv.ParseFloat(word[2], 64)
		if err != nil {
			return fmt.Errorf("a start at %q: %w", word[2], err)
		}
		s.add(word[0], time.UnixMilli(due), time.UnixMicro(int64(at*1000)))
	}
	return in.Err()
}

// due is one scheduler's account.
type due struct {
	name    string
	begin   func(context.Context, *lab, *starts) (crew, error)
	late    sample
	ticks   int   // different ones
	doubled int   // started more than once
	missing int   // of those between the first and the last of a job
	written int64 // bytes of WAL
}

// dueToStart compares schedulers by how late they start what is due, what they start
// twice or never, and what they write for it.
func dueToStart(ctx context.Context, l *lab) ([]row, error) {
	all := []*due{
		{name: "ours", begin: oursDue}, {name: "River", begin: riverDue}, {name: "Quartz", begin: quartzDue}, {name: "gocron", begin: gocronDue},
	}
	rounds, failed := 2, error(nil)
	if l.long {
		rounds = 4
	}
	for range rounds {
		for _, d := range all {
			if d.begin == nil {
				continue
			}
			if err := d.round(ctx, l); err != nil {
				d.begin = nil
				say("%s: its columns stay empty: %v", d.name, err)
				if d.name == "ours" {
					failed = err
				}
			}
		}
	}
	mine := all[0]
	rows := []row{{
		figure: fmt.Sprintf("due to start, %d jobs of each second on %d nodes", dueJobs, dueNodes), ours: mine.String(),
		limit: "p50 1 ms, p99 5 ms, none doubled or missing, 0.6 KB of WAL a slot",
		met:   judge(mine.late.at(.5) <= time.Millisecond && mine.late.at(.99) <= 5*time.Millisecond && mine.doubled+mine.missing == 0 && mine.perTick() <= 600),
	}}
	for _, d := range all[1:] {
		if d.ticks > 0 {
			rows = append(rows, row{figure: "the same", ours: mine.String(), peer: d.name + ": " + d.String(), ratio: times(over(d.late.at(.99), mine.late.at(.99)))})
		}
	}
	return rows, failed
}

func (d *due) perTick() float64 { return float64(d.written) / float64(max(1, d.ticks)) }

func (d *due) String() string {
	return fmt.Sprintf("%v; %d of %d ticks doubled, %d missing; %.0f B of WAL a tick", d.late, d.doubled, d.ticks, d.missing, d.perTick())
}

// round runs a crew for a while, and counts once it is warm.
func (d *due) round(ctx context.Context, l *lab) (err error) {
	var seen starts
	c, err := d.begin(ctx, l, &seen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	for limit := time.Now().Add(time.Minute); ; {
		if err := rest(ctx, time.Second); err != nil {
			return err
		}
		if len(seen.take()) >= dueJobs/2 {
			break
		}
		if time.Now().After(limit) {
			return errors.New("it starts nothing")
		}
	}
	if err := rest(ctx, 3*time.Second); err != nil {
		return err
	}
	from, err := wal(ctx, l)
	if err != nil {
		return err
	}
	seen.take()
	for range 2 { // short enough for what is kept in memory
		if err := rest(ctx, l.round()*3); err != nil {
			return err
		}
	}
	until, err := wal(ctx, l)
	if err != nil {
		return err
	}
	d.written += until - from
	d.count(seen.take())
	return nil
}

func wal(ctx context.Context, l *lab) (at int64, err error) {
	err = l.admin.GetContext(ctx, &at, `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint`)
	return at, err
}

func (d *due) count(all []start) {
	type tick struct {
		job string
		due int64
	}
	times := map[tick]int{}
	byJob := map[string][]int64{}
	for _, s := range all {
		d.late = append(d.late, max(0, s.at.Sub(s.due)))
		t := tick{s.job, s.due.Round(time.Second).Unix()}
		if times[t]++; times[t] == 1 {
			byJob[s.job] = append(byJob[s.job], t.due)
		}
	}
	d.ticks += len(times)
	for _, n := range times {
		if n > 1 {
			d.doubled++
		}
	}
	for _, seconds := range byJob {
		slices.Sort(seconds)
		d.missing += int(seconds[len(seconds)-1]-seconds[0]) + 1 - len(seconds)
	}
}

func dueName(i int) string { return fmt.Sprintf("job-%03d", i) }
