CREATE OR REPLACE FUNCTION coterie.run_output(
    p_job text, p_due_at timestamptz, p_token bigint, p_nonce bigint, p_attempt smallint,
    p_start bigint, p_size integer, p_text text, p_drop_from bigint, p_drop_to bigint)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
BEGIN
    -- Fenced like the end of the run. The end of the output may come a moment after that of a run which another
    -- holder has closed meanwhile: then it is of no use to anybody.
    PERFORM FROM coterie.run r
    WHERE r.job = p_job AND r.due_at = p_due_at AND r.token = p_token AND r.nonce = p_nonce AND r.outcome = 'running';
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.output (job, due_at, attempt, start, size, text)
    VALUES (p_job, p_due_at, p_attempt, p_start, p_size, p_text)
    ON CONFLICT DO NOTHING; -- said before, and its answer was lost
    -- The middle of a long output gives way; its writer counts what is there.
    IF p_drop_from < p_drop_to THEN
        DELETE FROM coterie.output o
        WHERE o.job = p_job AND o.due_at = p_due_at AND o.attempt = p_attempt AND o.start >= p_drop_from AND o.start < p_drop_to;
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.run_output(text, timestamptz, bigint, bigint, smallint, bigint, integer, text, bigint, bigint) IS
    'Adds a piece to the output of an open run on behalf of whoever began it, and drops those between two offsets; false when the run is not open any more. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.run_output(text, timestamptz, bigint, bigint, smallint, bigint, integer, text, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_output(text, timestamptz, bigint, bigint, smallint, bigint, integer, text, bigint, bigint) TO coterie_agent;
