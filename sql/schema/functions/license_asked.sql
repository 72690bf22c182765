CREATE OR REPLACE FUNCTION coterie.license_asked(p_pool text, p_holder text, p_session text, p_host text, p_session_of coterie.session)
RETURNS coterie.license_use
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    p coterie.license_pool;
    who text;
BEGIN
    SELECT l.* INTO p FROM coterie.license_pool l WHERE l.name = p_pool;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no pool %', quote_literal(left(p_pool, 80)) USING ERRCODE = 'CT030';
    END IF;
    who := coterie.license_who(p.domains, p_holder);
    IF who IS NULL OR octet_length(p_session) > 300 OR octet_length(p_host) > 300 THEN
        RAISE EXCEPTION 'no name that can be shown, or too long' USING ERRCODE = 'CT031';
    END IF;
    RETURN ROW(p.name, coterie.license_key(p.shared_by, who, coalesce(p_session, ''), coalesce(p_host, ''), p_session_of.node), p_session_of.node, p_session_of.incarnation,
               coalesce(p_session, ''), left(p_holder, 300), coalesce(p_host, ''), true, coterie.clock(), coterie.clock())::coterie.license_use;
END $$;
COMMENT ON FUNCTION coterie.license_asked(text, text, text, text, coterie.session) IS
    'The use that an SQL client means; raises CT030 without such a pool, CT031 for what is no name.';
REVOKE ALL ON FUNCTION coterie.license_asked(text, text, text, text, coterie.session) FROM PUBLIC;
