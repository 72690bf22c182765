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
           WHEN open.job IS NOT NULL THEN format('running on %s since %s', open.node, to_char(open.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
           WHEN held.holder IS NULL AND able.nodes = 0 THEN format('no ready node has the action %s', j.action)
           WHEN held.holder IS NULL THEN 'no node holds it at the moment'
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
       j.changed_at
FROM coterie.job j
LEFT JOIN LATERAL (SELECT s.node AS holder
                   FROM coterie.lease l JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation
                   WHERE l.name = 'job/' || j.name AND s.expires_at > coterie.clock()) AS held ON true
LEFT JOIN LATERAL (SELECT count(*) AS nodes FROM coterie.session s
                   WHERE 'action/' || j.action = ANY (s.takes) AND s.expires_at > coterie.clock()) AS able ON true
LEFT JOIN coterie.request asked ON asked.job = j.name
LEFT JOIN coterie.run open ON open.job = j.name AND open.outcome = 'running'
-- The last slot that has its row, whatever became of it.
LEFT JOIN LATERAL (SELECT r.due_at, r.outcome FROM coterie.run r
                   WHERE r.job = j.name ORDER BY r.due_at DESC LIMIT 1) AS last ON true
-- The last slot of the schedule, which tells the next one.
LEFT JOIN LATERAL (SELECT r.due_at, r.next_due_at FROM coterie.run r
                   WHERE r.job = j.name AND r.requested_by IS NULL ORDER BY r.due_at DESC LIMIT 1) AS slot ON true
LEFT JOIN LATERAL (SELECT CASE
                       WHEN NOT j.enabled THEN NULL
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
COMMENT ON COLUMN coterie.jobs.next_due_at IS 'The first slot that has no row yet; null when it is disabled.';
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
