CREATE OR REPLACE FUNCTION coterie.session_renew(p_node text, p_incarnation bigint, p_mark bigint) RETURNS double precision
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    lives double precision;
BEGIN
    PERFORM coterie.era_check(p_mark);
    UPDATE coterie.session s
    SET beats = s.beats + 1, renewed_at = coterie.clock(),
        -- Never shorter than what the client was told before.
        ttl = greatest(s.ttl, t.session_ttl), expires_at = coterie.clock() + greatest(s.ttl, t.session_ttl)
    FROM coterie.setting t
    WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user
    RETURNING extract(epoch FROM s.ttl)::float8 * 1000 INTO lives;
    RETURN lives;
END $$;
COMMENT ON FUNCTION coterie.session_renew(text, bigint, bigint) IS
    'The heartbeat of an SQL client: renews its session and returns its time to live in milliseconds, to be counted from when the call was made; null when the session was ended. p_mark is the highest token that the client knows of.';
REVOKE ALL ON FUNCTION coterie.session_renew(text, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.session_renew(text, bigint, bigint) TO coterie_agent;
