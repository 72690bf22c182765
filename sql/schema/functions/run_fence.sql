CREATE OR REPLACE FUNCTION coterie.run_fence(p_job text, p_token bigint) RETURNS coterie.session
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    held coterie.session;
BEGIN
    PERFORM coterie.assert_lease('job/' || p_job, p_token);
    -- Tokens are no secret: everybody may read them. Only the holder's own login acts under them.
    SELECT s.* INTO held
    FROM coterie.lease l JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation
    WHERE l.name = 'job/' || p_job AND s.login = session_user;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'lease % is held by a node with another login', quote_literal('job/' || p_job)
            USING ERRCODE = 'CT001', HINT = 'Only the login that began the node''s session acts under its leases.';
    END IF;
    RETURN held;
END $$;
COMMENT ON FUNCTION coterie.run_fence(text, bigint) IS
    'The session that holds the lease of a job with this token, which must be the caller''s own; raises CT001 otherwise. Holds the lease until the transaction ends.';
REVOKE ALL ON FUNCTION coterie.run_fence(text, bigint) FROM PUBLIC;
