CREATE OR REPLACE FUNCTION coterie.license_away(p_node text, p_incarnation bigint, p_entries jsonb)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    told bigint;
BEGIN
    PERFORM coterie.license_alive(p_node, p_incarnation);
    WITH told AS (
        INSERT INTO coterie.license_event (at, pool, kind, key, holder, node, session, reason)
        SELECT coterie.clock(), e.pool, 'away', e.holder, e.holder, p_node, e.session,
               format('granted by %s at %s, while the database was away (%s)', p_node, e.at, e.kind)
        FROM jsonb_to_recordset(p_entries) AS e (at text, kind text, pool text, holder text, session text)
        RETURNING id)
    SELECT count(*) INTO told FROM told;
    RETURN told;
END $$;
COMMENT ON FUNCTION coterie.license_away(text, bigint, jsonb) IS
    'A node tells what it granted while the database was away, for the record.';
REVOKE ALL ON FUNCTION coterie.license_away(text, bigint, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_away(text, bigint, jsonb) TO coterie_agent;
