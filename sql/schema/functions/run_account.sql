CREATE OR REPLACE FUNCTION coterie.run_account(
    p_job text, p_token bigint, p_outcome coterie.run_outcome,
    p_due_ats timestamptz[], p_reasons text[], p_next_due_at timestamptz)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    after timestamptz;
    made bigint;
BEGIN
    -- Sequential scans are off because a plan lives as long as its session: one that was made while the
    -- tables were empty would read them whole ever after.
    IF p_outcome NOT IN ('skipped', 'missed') THEN
        RAISE EXCEPTION 'a slot that was not run is skipped or missed, not %', p_outcome USING ERRCODE = 'CT021';
    END IF;
    PERFORM coterie.run_fence(p_job, p_token);
    SELECT greatest(coterie.run_accounted(p_job), (SELECT j.since - interval '1us' FROM coterie.job j WHERE j.name = p_job)) INTO after;

    -- Slots that have their row already are passed over, so saying it twice is harmless.
    INSERT INTO coterie.run (job, due_at, token, finished_at, next_due_at, outcome, reason)
    SELECT p_job, slot.due_at, p_token, greatest(slot.due_at, coterie.clock()),
           CASE WHEN slot.due_at = max(slot.due_at) OVER () THEN p_next_due_at END, p_outcome, slot.reason
    FROM unnest(p_due_ats, p_reasons) AS slot (due_at, reason)
    WHERE slot.due_at > after AND slot.due_at <= coterie.clock() + interval '2s';
    GET DIAGNOSTICS made = ROW_COUNT;
    -- What was skipped was meant to be: nothing to tell.
    IF made > 0 AND p_outcome = 'missed' THEN
        PERFORM coterie.run_trouble(p_job, max(slot.due_at), 1, 'missed', NULL,
                                    CASE WHEN made > 1 THEN format('%s slots; the last: ', made) ELSE '' END || max(slot.reason), made::integer)
        FROM unnest(p_due_ats, p_reasons) AS slot (due_at, reason);
    END IF;
    PERFORM nextval('coterie.run_seq');
    RETURN made;
END $$;
COMMENT ON FUNCTION coterie.run_account(text, bigint, coterie.run_outcome, timestamptz[], text[], timestamptz) IS
    'Records slots that were not run, each with its reason, under the live token of lease job/NAME; returns how many were new. Raises CT001 without the lease.';
REVOKE ALL ON FUNCTION coterie.run_account(text, bigint, coterie.run_outcome, timestamptz[], text[], timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_account(text, bigint, coterie.run_outcome, timestamptz[], text[], timestamptz) TO coterie_agent;
