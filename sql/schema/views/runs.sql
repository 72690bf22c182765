CREATE OR REPLACE VIEW coterie.runs WITH (security_barrier) AS
SELECT r.job,
       r.due_at,
       r.node,
       r.token,
       r.attempt,
       r.started_at,
       r.finished_at,
       r.outcome,
       r.exit_code,
       r.log_tail,
       r.reason,
       r.requested_by,
       r.finished_at - r.started_at AS took,
       g.percent,
       g.message,
       g.checkpoint
FROM coterie.run r
-- One by one: joined whole, nobody could read the last ten of a million without sorting them.
LEFT JOIN LATERAL (SELECT p.percent, p.message, p.checkpoint FROM coterie.progress p
                   WHERE p.job = r.job AND p.due_at = r.due_at LIMIT 1) AS g ON true;
COMMENT ON VIEW coterie.runs IS 'A row per slot, also those that were not run: what became of it, and why.';
COMMENT ON COLUMN coterie.runs.job IS 'Name of the job.';
COMMENT ON COLUMN coterie.runs.due_at IS 'The slot: the instant at which the job was due, or was asked for.';
COMMENT ON COLUMN coterie.runs.node IS 'Node that ran it; null if none did.';
COMMENT ON COLUMN coterie.runs.token IS 'Fencing token of the lease under which it ran, or under which it was recorded why it did not.';
COMMENT ON COLUMN coterie.runs.attempt IS 'Number of this attempt.';
COMMENT ON COLUMN coterie.runs.started_at IS 'When its action started; null if it did not.';
COMMENT ON COLUMN coterie.runs.finished_at IS 'When it ended, or was recorded as not run; null while it runs.';
COMMENT ON COLUMN coterie.runs.outcome IS 'running, succeeded, failed, timed_out, skipped (due while a run was open), missed (nobody could run it), lost (its node lost the lease), cancelled (stopped on purpose).';
COMMENT ON COLUMN coterie.runs.exit_code IS 'Exit code of its process, if it had one and it exited.';
COMMENT ON COLUMN coterie.runs.log_tail IS 'Its last output, at most 8 KiB, safe to print.';
COMMENT ON COLUMN coterie.runs.reason IS 'Why it ended so, was late, or was not run.';
COMMENT ON COLUMN coterie.runs.requested_by IS 'Who asked for it; null if the schedule did.';
COMMENT ON COLUMN coterie.runs.took IS 'From its start to its end.';
COMMENT ON COLUMN coterie.runs.percent IS 'How much of it was done when it said so last; null when it says nothing, or has succeeded.';
COMMENT ON COLUMN coterie.runs.message IS 'What it said last of itself.';
COMMENT ON COLUMN coterie.runs.checkpoint IS 'From where another run can go on; null when there is no such place, or it has succeeded.';
