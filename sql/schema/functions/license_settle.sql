CREATE OR REPLACE FUNCTION coterie.license_settle(p_incarnation bigint, p_number bigint)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Whoever was promoted meanwhile may not have it.
    IF NOT EXISTS (SELECT FROM coterie.license_desk d WHERE d.incarnation = p_incarnation AND d.number >= p_number) THEN
        RAISE EXCEPTION 'batch % of session % is not known here', p_number, p_incarnation USING ERRCODE = 'CT034';
    END IF;
    IF current_setting('synchronous_commit') IN ('off', 'local') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    -- A commit is waited for on disk (and on standbys that must have it) only if it wrote something. The log is one
    -- sequence: what was committed before this is there, too.
    PERFORM pg_logical_emit_message(true, 'coterie', '');
END $$;
COMMENT ON FUNCTION coterie.license_settle(bigint, bigint) IS
    'Returns when a batch of this session, and all that it was decided upon, is on disk and wherever synchronous_commit wants it. Nodes call it after license_batch with p_later and before they tell anybody; many wait for one write, and no pool is locked meanwhile. Raises CT034 when the batch is not known.';
REVOKE ALL ON FUNCTION coterie.license_settle(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_settle(bigint, bigint) TO coterie_agent;
