CREATE OR REPLACE VIEW coterie.jobs WITH (security_barrier) AS
SELECT j.name,
       j.schedule,
       j.time_zone,
       j.overlap,
       j.misfire,
       j.enabled,
       held.holder AS runner,
       next.due_at AS next_due_at,
       last.due_at AS last_due_at,
       last.outcome AS last_outcome,
       ran.finished_at - ran.started_at AS last_took,
       fails.in_row AS failures_in_row,
       coalesce(next.due_at < coterie.clock() - interval '15s', false) AS overdue,
       CASE
           WHEN NOT j.enabled THEN format('disabled by %s', j.changed_by)
           WHEN rest.since IS NOT NULL AND open.job IS NULL THEN format('paused by %s%s', rest.by, coalesce(': ' || rest.reason, ''))
           WHEN open.job IS NOT NULL THEN format('running on %s since %s', open.node, to_char(open.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
           WHEN held.holder IS NULL AND able.nodes = 0 THEN format('no ready node has the action %s%s', j.action, CASE WHEN j.requires <> '{}' THEN format(' and the tags %s', array_to_string(j.requires, ', ')) END)
           WHEN j.queue AND asked.job IS NOT NULL THEN format('asked for by %s, taken when a node has room', asked.requested_by)
           WHEN held.holder IS NULL AND NOT j.queue THEN 'no node holds it at the moment'
           WHEN asked.job IS NOT NULL THEN format('asked for by %s, about to run', asked.requested_by)
           WHEN fails.in_row > 0 THEN format('%s: %s', ran.outcome, coalesce(ran.reason, 'no reason given'))
           ELSE ''
       END AS message,
       j.action,
       j.timeout,
       open.started_at AS running_since,
       asked.requested_by,
       j.since,
       j.generation,
       j.changed_by,
       j.changed_at,
       j.gap,
       j.fold,
       j.starts_at,
       j.ends_at,
       j.jitter,
       j.exceptions,
       j.stop_grace,
       j.misfire_limit,
       j.catch_up,
       j.retries,
       j.retry_after,
       j.retry_max,
       j.on_lost,
       j.priority,
       j.group_name,
       band.runs_at_once AS group_limit,
       j.requires,
       j.prefers,
       rest.since AS paused_at,
       rest.by AS paused_by,
       rest.reason AS paused_reason,
       j.params,
       j.keep,
       j.long_after,
       j.queue,
       j.apart,
       j.while_away
FROM coterie.job j
CROSS JOIN coterie.job_change all_jobs
LEFT JOIN coterie.job_group band ON band.name = j.group_name
-- The pause that holds: its own, or that of all jobs.
LEFT JOIN LATERAL (SELECT p.since, p.by, p.reason
                   FROM (VALUES (j.paused_at, j.unpaused_at, j.paused_by, j.paused_reason),
                                (all_jobs.paused_at, all_jobs.unpaused_at, all_jobs.paused_by, all_jobs.paused_reason)) AS p (since, until, by, reason)
                   WHERE p.since IS NOT NULL AND p.until IS NULL
                   ORDER BY p.since LIMIT 1) AS rest ON true
LEFT JOIN LATERAL (SELECT s.node AS holder
                   FROM coterie.lease l JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation
                   WHERE l.name = 'job/' || j.name AND s.expires_at > coterie.clock()) AS held ON true
LEFT JOIN coterie.lease right_to ON right_to.name = 'job/' || j.name
LEFT JOIN LATERAL (SELECT count(*) AS nodes FROM coterie.session s
                   WHERE coalesce(right_to.class, coterie.job_class(j.action, j.requires)) = ANY (s.takes) AND s.expires_at > coterie.clock()) AS able ON true
-- The first request that waits, and the oldest run that is open: a queue job may have many.
LEFT JOIN LATERAL (SELECT q.job, q.requested_by FROM coterie.request q
                   WHERE q.job = j.name AND q.node IS NULL ORDER BY q.due_at LIMIT 1) AS asked ON true
LEFT JOIN LATERAL (SELECT r.job, r.node, r.started_at FROM coterie.run r
                   WHERE r.job = j.name AND r.outcome = 'running' ORDER BY r.due_at LIMIT 1) AS open ON true
-- The last slot that has its row, whatever became of it.
LEFT JOIN LATERAL (SELECT r.due_at, r.outcome FROM coterie.run r
                   WHERE r.job = j.name ORDER BY r.due_at DESC LIMIT 1) AS last ON true
-- The last slot of the schedule, which tells the next one.
LEFT JOIN LATERAL (SELECT r.due_at, r.next_due_at FROM coterie.run r
                   WHERE r.job = j.name AND r.requested_by IS NULL ORDER BY r.due_at DESC LIMIT 1) AS slot ON true
LEFT JOIN LATERAL (SELECT CASE
                       WHEN NOT j.enabled OR rest.since IS NOT NULL THEN NULL
                       WHEN slot.due_at IS NULL OR slot.due_at < j.since THEN j.first_due_at
                       WHEN j.every IS NOT NULL THEN slot.due_at + j.every
                       ELSE slot.next_due_at
                   END AS due_at) AS next ON true
-- The last run that ended.
LEFT JOIN LATERAL (SELECT r.outcome, r.started_at, r.finished_at, r.reason FROM coterie.run r
                   WHERE r.job = j.name AND r.outcome NOT IN ('running', 'skipped', 'missed')
                   ORDER BY r.due_at DESC LIMIT 1) AS ran ON true
-- How many of the last hundred slots failed since the last success.
LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE outcome IN ('failed', 'timed_out', 'lost')) AS in_row
                   FROM (SELECT h.outcome, bool_or(h.outcome = 'succeeded') OVER (ORDER BY h.due_at DESC) AS before
                         FROM (SELECT r.due_at, r.outcome FROM coterie.run r
                               WHERE r.job = j.name ORDER BY r.due_at DESC LIMIT 100) AS h) AS w
                   WHERE NOT before) AS fails ON true;
COMMENT ON VIEW coterie.jobs IS 'A row per job: what it is, who runs it, how it fared and when it is due.';
COMMENT ON COLUMN coterie.jobs.name IS 'Name of the job; its lease is job/NAME.';
COMMENT ON COLUMN coterie.jobs.schedule IS 'When it is due: @every DURATION, five cron fields, or @hourly and the like.';
COMMENT ON COLUMN coterie.jobs.time_zone IS 'Time zone that cron fields are read in.';
COMMENT ON COLUMN coterie.jobs.overlap IS 'What becomes of slots that fall due while a run is open.';
COMMENT ON COLUMN coterie.jobs.misfire IS 'What becomes of slots that nobody could run when they were due.';
COMMENT ON COLUMN coterie.jobs.enabled IS 'Whether its schedule is at work.';
COMMENT ON COLUMN coterie.jobs.runner IS 'Node that holds its lease and runs it; null if none does.';
COMMENT ON COLUMN coterie.jobs.next_due_at IS 'The first slot that has no row yet; null when it is disabled or paused.';
COMMENT ON COLUMN coterie.jobs.last_due_at IS 'The last slot that has its row.';
COMMENT ON COLUMN coterie.jobs.last_outcome IS 'What became of that slot.';
COMMENT ON COLUMN coterie.jobs.last_took IS 'How long the last run that ended took.';
COMMENT ON COLUMN coterie.jobs.failures_in_row IS 'Runs among the last hundred slots that failed, timed out or were lost since the last success.';
COMMENT ON COLUMN coterie.jobs.overdue IS 'Whether the next slot was due 15 seconds ago and nothing is known of it.';
COMMENT ON COLUMN coterie.jobs.message IS 'What people should know of it; empty when all is well.';
COMMENT ON COLUMN coterie.jobs.action IS 'Name of the action that a run performs.';
COMMENT ON COLUMN coterie.jobs.timeout IS 'How long a run may take; null: as long as it likes.';
COMMENT ON COLUMN coterie.jobs.running_since IS 'When the open run started; null when there is none.';
COMMENT ON COLUMN coterie.jobs.requested_by IS 'Who asked for a run that has not begun yet.';
COMMENT ON COLUMN coterie.jobs.since IS 'Slots before it are not owed.';
COMMENT ON COLUMN coterie.jobs.generation IS 'Number of the change that made the definition what it is.';
COMMENT ON COLUMN coterie.jobs.changed_by IS 'Role that changed it last.';
COMMENT ON COLUMN coterie.jobs.changed_at IS 'When it was changed last.';
COMMENT ON COLUMN coterie.jobs.gap IS 'What becomes of what is named in an hour that summer time skips: auto, shift, skip.';
COMMENT ON COLUMN coterie.jobs.fold IS 'In which of two equal hours it runs: auto, first, last, both.';
COMMENT ON COLUMN coterie.jobs.starts_at IS 'It is due from then on; null: at any time.';
COMMENT ON COLUMN coterie.jobs.ends_at IS 'It is due before then; null: for ever.';
COMMENT ON COLUMN coterie.jobs.jitter IS 'Its slots are later than the schedule says by less than this, always by the same; null: by none.';
COMMENT ON COLUMN coterie.jobs.exceptions IS 'Days and hours at which it is not due.';
COMMENT ON COLUMN coterie.jobs.stop_grace IS 'How long a run that must end has between TERM and KILL; null: as its node sees fit.';
COMMENT ON COLUMN coterie.jobs.misfire_limit IS 'How many slots misfire all makes up for; null: 100.';
COMMENT ON COLUMN coterie.jobs.catch_up IS 'How old a slot may be and still be made up for; null: of any age.';
COMMENT ON COLUMN coterie.jobs.retries IS 'How often a run that failed or timed out is tried again.';
COMMENT ON COLUMN coterie.jobs.retry_after IS 'How long after the first failure; later pauses double. Null: 10 seconds.';
COMMENT ON COLUMN coterie.jobs.retry_max IS 'Longest of these pauses; null: an hour.';
COMMENT ON COLUMN coterie.jobs.on_lost IS 'What becomes of a run whose node was lost: record, restart, resume.';
COMMENT ON COLUMN coterie.jobs.priority IS 'Who comes first when not all can run; higher is earlier.';
COMMENT ON COLUMN coterie.jobs.group_name IS 'Group of jobs of which only so many may run at once.';
COMMENT ON COLUMN coterie.jobs.group_limit IS 'How many runs of that group may be open.';
COMMENT ON COLUMN coterie.jobs.requires IS 'Tags that a node must have to take it.';
COMMENT ON COLUMN coterie.jobs.prefers IS 'Tags of nodes that it had better be with.';
COMMENT ON COLUMN coterie.jobs.paused_at IS 'Since when it is paused, alone or with all others; null when it is not.';
COMMENT ON COLUMN coterie.jobs.paused_by IS 'Who paused it.';
COMMENT ON COLUMN coterie.jobs.paused_reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.jobs.params IS 'What its runs hand to the action, unless a request says otherwise.';
COMMENT ON COLUMN coterie.jobs.keep IS 'How long its runs are kept; null: as the setting keep_runs says.';
COMMENT ON COLUMN coterie.jobs.long_after IS 'From when on a run is called long-running; null: never.';
COMMENT ON COLUMN coterie.jobs.queue IS 'True: no schedule; each request is a run of its own, for any node that has room.';
COMMENT ON COLUMN coterie.jobs.apart IS 'Group of jobs that had better be with different nodes.';
COMMENT ON COLUMN coterie.jobs.while_away IS 'What becomes of a run whose node loses its lease because it cannot reach the database: stop, or finish_fenced.';
