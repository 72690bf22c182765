CREATE OR REPLACE FUNCTION coterie.run_holder(p_job text, p_token bigint) RETURNS coterie.session
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    held coterie.session;
BEGIN
    -- The lock lasts until the transaction ends, so nobody can take the lease before that commit.
    -- Tokens are no secret: everybody may read them. Only the holder's own login acts under them. Rows that a promotion or a
    -- restore brought here prove nothing until a heartbeat has begun the new era.
    SELECT s.* INTO held
    FROM coterie.lease l JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation
    JOIN coterie.cluster c ON coterie.era_here(c)
    WHERE l.name = 'job/' || p_job AND l.token = p_token
      AND s.expires_at > coterie.clock() AND s.login = session_user
    FOR SHARE OF l;
    RETURN held;
END $$;
COMMENT ON FUNCTION coterie.run_holder(text, bigint) IS
    'The session that holds the lease of a job with this token, if it is live and the caller''s own; else null. Holds the lease until the transaction ends.';
REVOKE ALL ON FUNCTION coterie.run_holder(text, bigint) FROM PUBLIC;
