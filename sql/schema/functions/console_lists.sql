CREATE OR REPLACE FUNCTION coterie.console_lists() RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- In a function, because a connection keeps the plans of one, and to plan this takes longer than to run it.
    RETURN json_build_object(
        'status', (SELECT to_json(v) FROM coterie.status v),
        'nodes', (SELECT json_agg(v) FROM (SELECT * FROM coterie.nodes ORDER BY name) v),
        'jobs', (SELECT json_agg(v) FROM (SELECT * FROM coterie.jobs ORDER BY name LIMIT 1000) v),
        'leases', (SELECT json_agg(v) FROM (SELECT * FROM coterie.leases ORDER BY name LIMIT 1000) v),
        'runs', (SELECT json_agg(v) FROM coterie.runs_recent(100) v),
        'events', (SELECT json_agg(v) FROM (SELECT * FROM coterie.events ORDER BY id DESC LIMIT 100) v),
        'takeovers', (SELECT json_agg(v) FROM (SELECT * FROM coterie.takeovers ORDER BY claimed_at DESC LIMIT 50) v),
        'findings', (SELECT json_agg(v) FROM coterie.findings v),
        'storages', (SELECT json_agg(v) FROM (SELECT * FROM coterie.storages ORDER BY node) v));
END $$;
COMMENT ON FUNCTION coterie.console_lists() IS 'Every list that the console shows, by the name of its view.';
REVOKE ALL ON FUNCTION coterie.console_lists() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.console_lists() TO coterie_agent;
