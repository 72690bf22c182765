CREATE OR REPLACE FUNCTION coterie.license_renew(
    p_pool text, p_holder text, p_session text DEFAULT '', p_host text DEFAULT '', p_node text DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    mine coterie.session := coterie.license_session(p_node);
    used coterie.license_use := coterie.license_asked(p_pool, p_holder, p_session, p_host, mine);
BEGIN
    UPDATE coterie.license_use u SET renewed_at = used.since
    WHERE u.pool = used.pool AND u.key = used.key AND u.node = used.node AND u.incarnation = used.incarnation AND u.session = used.session;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION coterie.license_renew(text, text, text, text, text) IS
    'Says that a use is not idle; false when it is none (any more): check out again. Only pools with an idle time need it, since the session keeps the seat.';
REVOKE ALL ON FUNCTION coterie.license_renew(text, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_renew(text, text, text, text, text) TO coterie_agent;
