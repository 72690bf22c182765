CREATE OR REPLACE FUNCTION coterie.job_settle(p_said jsonb, p_old coterie.job, p_done text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    under bigint;
    after timestamptz;
BEGIN
    IF jsonb_array_length(coalesce(p_said->'owed', '[]')) = 0 THEN
        RETURN;
    END IF;
    -- Locked first: whoever begins a run holds the lease, so that what is there now is all.
    SELECT greatest(l.token, 1) INTO under FROM coterie.lease l WHERE l.name = 'job/' || p_old.name FOR UPDATE;
    after := greatest(coterie.run_accounted(p_old.name), p_old.since - interval '1us');
    INSERT INTO coterie.run (job, due_at, token, finished_at, outcome, reason)
    SELECT p_old.name, slot.due_at, coalesce(under, 1), greatest(slot.due_at, coterie.clock()),
           CASE WHEN rest.by IS NOT NULL OR open.due_at IS NOT NULL THEN 'skipped' ELSE 'missed' END::coterie.run_outcome,
           CASE WHEN rest.by IS NOT NULL THEN format('%s paused it%s', rest.by, coalesce(' (' || rest.why || ')', ''))
                WHEN open.due_at IS NOT NULL THEN format('due while the run of %s was open',
                                                         to_char(open.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                ELSE format('no node had begun it when %s %s the job', session_user, p_done) END || coalesce(slot.more, '')
    FROM jsonb_to_recordset(p_said->'owed') AS slot (due_at timestamptz, more text)
    LEFT JOIN LATERAL (SELECT p.by, p.why
                       FROM (SELECT p_old.paused_at, p_old.unpaused_at, p_old.paused_by, p_old.paused_reason
                             UNION ALL SELECT c.paused_at, c.unpaused_at, c.paused_by, c.paused_reason FROM coterie.job_change c) AS p (since, until, by, why)
                       WHERE p.since <= slot.due_at AND (p.until IS NULL OR slot.due_at <= p.until) LIMIT 1) AS rest ON true
    LEFT JOIN LATERAL (SELECT r.due_at FROM coterie.run r
                       WHERE r.job = p_old.name AND r.started_at <= slot.due_at AND (r.finished_at IS NULL OR slot.due_at <= r.finished_at)
                         AND r.due_at < slot.due_at
                       ORDER BY r.due_at DESC LIMIT 1) AS open ON true
    WHERE slot.due_at > after AND slot.due_at <= coterie.clock()
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM nextval('coterie.run_seq');
    END IF;
END $$;
COMMENT ON FUNCTION coterie.job_settle(jsonb, coterie.job, text) IS
    'Gives their rows to the slots that a job owes and that nobody will run any more, because it is disabled, removed, or due at other times from now on. The caller has found the slots, as SQL cannot read a schedule.';
REVOKE ALL ON FUNCTION coterie.job_settle(jsonb, coterie.job, text) FROM PUBLIC;
