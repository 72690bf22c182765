CREATE OR REPLACE FUNCTION coterie.license_alive(p_node text, p_incarnation bigint)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Asked after the pool is locked: who took the uses of this session back has committed by now, and is seen.
    IF NOT EXISTS (SELECT FROM coterie.session s
                   WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user AND s.expires_at > coterie.clock()) THEN
        RAISE EXCEPTION 'no living session %/% of this login', quote_literal(left(p_node, 80)), p_incarnation
            USING ERRCODE = 'CT002', HINT = 'Begin one with coterie.session_begin and renew it with coterie.session_renew.';
    END IF;
END $$;
COMMENT ON FUNCTION coterie.license_alive(text, bigint) IS
    'Raises CT002 unless this login has that session, and it has not expired.';
REVOKE ALL ON FUNCTION coterie.license_alive(text, bigint) FROM PUBLIC;
