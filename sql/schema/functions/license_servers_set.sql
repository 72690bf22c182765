CREATE OR REPLACE FUNCTION coterie.license_servers_set(p_hosts text[], p_ports integer[], p_by text, p_reason text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    before jsonb := (SELECT jsonb_agg(jsonb_build_array(s.host, s.port) ORDER BY s.place) FROM coterie.license_server s);
    wanted jsonb := (SELECT jsonb_agg(jsonb_build_array(w.host, w.port) ORDER BY w.n) FROM unnest(p_hosts, p_ports) WITH ORDINALITY AS w (host, port, n));
BEGIN
    IF before IS NOT DISTINCT FROM wanted THEN
        RETURN false;
    END IF;
    DELETE FROM coterie.license_server;
    INSERT INTO coterie.license_server (place, host, port)
    SELECT w.n, w.host, w.port FROM unnest(p_hosts, p_ports) WITH ORDINALITY AS w (host, port, n);
    DELETE FROM coterie.license_sight g WHERE NOT EXISTS (SELECT FROM coterie.license_server s WHERE s.host = g.host AND s.port = g.port);
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('license.servers', 'license', nullif(p_reason, ''), jsonb_build_object('by', p_by, 'from', before, 'to', wanted));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.license_servers_set(text[], integer[], text, text) IS
    'An operator names the external licence servers, for all nodes and all that will join; false when they are those already.';
REVOKE ALL ON FUNCTION coterie.license_servers_set(text[], integer[], text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_servers_set(text[], integer[], text, text) TO coterie_operator;
