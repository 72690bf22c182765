CREATE OR REPLACE FUNCTION coterie.run_long(p_job text, p_due_at timestamptz, p_token bigint, p_nonce bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO coterie.notice (job, due_at, attempt, kind, node, text)
    SELECT r.job, r.due_at, r.attempt, 'long_running', r.node,
           format('it runs on %s since %s', r.node, to_char(r.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
    FROM coterie.run r
    WHERE r.job = p_job AND r.due_at = p_due_at AND r.token = p_token AND r.nonce = p_nonce AND r.outcome = 'running'
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM nextval('coterie.run_seq');
    END IF;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION coterie.run_long(text, timestamptz, bigint, bigint) IS 'Has hooks tell that an open run takes long, on behalf of whoever began it.';
REVOKE ALL ON FUNCTION coterie.run_long(text, timestamptz, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_long(text, timestamptz, bigint, bigint) TO coterie_agent;
