CREATE OR REPLACE FUNCTION coterie.license_session(p_node text)
RETURNS coterie.session
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    found coterie.session[];
BEGIN
    found := ARRAY(SELECT s FROM coterie.session s
                   WHERE s.login = session_user AND (p_node IS NULL OR s.node = p_node) AND s.expires_at > coterie.clock() LIMIT 2);
    IF cardinality(found) <> 1 THEN
        RAISE EXCEPTION '% of this login', CASE cardinality(found) WHEN 0 THEN 'no living session' ELSE 'several sessions' END
            USING ERRCODE = 'CT002', HINT = 'Begin one with coterie.session_begin, renew it with coterie.session_renew; of several name the node.';
    END IF;
    RETURN found[1];
END $$;
COMMENT ON FUNCTION coterie.license_session(text) IS
    'The living session of this login, or that of a node; raises CT002 when there is not exactly one.';
REVOKE ALL ON FUNCTION coterie.license_session(text) FROM PUBLIC;
