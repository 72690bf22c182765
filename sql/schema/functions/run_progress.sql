CREATE OR REPLACE FUNCTION coterie.run_progress(
    p_job text, p_due_at timestamptz, p_token bigint, p_nonce bigint, p_percent smallint, p_message text, p_checkpoint text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
BEGIN
    -- Fenced like the end of the run, and held open until this commits: a checkpoint of a former holder never
    -- replaces one of its successor.
    PERFORM FROM coterie.run r
    WHERE r.job = p_job AND r.due_at = p_due_at AND r.token = p_token AND r.nonce = p_nonce AND r.outcome = 'running'
    FOR SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.progress AS g (job, due_at, token, percent, message, checkpoint)
    VALUES (p_job, p_due_at, p_token, p_percent, nullif(p_message, ''), nullif(p_checkpoint, ''))
    ON CONFLICT (job, due_at) DO UPDATE
    SET token = p_token, at = coterie.clock(), percent = coalesce(p_percent, g.percent),
        message = CASE WHEN p_message IS NULL THEN g.message ELSE nullif(p_message, '') END,
        checkpoint = CASE WHEN p_checkpoint IS NULL THEN g.checkpoint ELSE nullif(p_checkpoint, '') END;
    PERFORM nextval('coterie.run_seq');
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.run_progress(text, timestamptz, bigint, bigint, smallint, text, text) IS
    'Writes down what an open run says of itself, on behalf of whoever began it; null leaves what was said before. False when the run is not open any more.';
REVOKE ALL ON FUNCTION coterie.run_progress(text, timestamptz, bigint, bigint, smallint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_progress(text, timestamptz, bigint, bigint, smallint, text, text) TO coterie_agent;
