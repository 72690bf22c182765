CREATE OR REPLACE FUNCTION coterie.console_lists() RETURNS TABLE (name text, list json)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- In a function, because a connection keeps the plans of one, and to plan this takes longer than to run it.
    RETURN QUERY
    SELECT 'status', (SELECT to_json(v) FROM coterie.status v)
    UNION ALL SELECT 'nodes', (SELECT json_agg(v) FROM (SELECT * FROM coterie.nodes n ORDER BY n.name) v)
    UNION ALL SELECT 'jobs', (SELECT json_agg(v) FROM (SELECT * FROM coterie.jobs j ORDER BY j.name LIMIT 1000) v)
    UNION ALL SELECT 'leases', (SELECT json_agg(v) FROM (SELECT * FROM coterie.leases l ORDER BY l.name LIMIT 1000) v)
    UNION ALL SELECT 'runs', (SELECT json_agg(v) FROM coterie.runs_recent(100) v)
    UNION ALL SELECT 'events', (SELECT json_agg(v) FROM (SELECT * FROM coterie.events e ORDER BY e.id DESC LIMIT 100) v)
    UNION ALL SELECT 'takeovers', (SELECT json_agg(v) FROM (SELECT * FROM coterie.takeovers t ORDER BY t.claimed_at DESC LIMIT 50) v)
    UNION ALL SELECT 'findings', (SELECT json_agg(v) FROM coterie.findings v)
    UNION ALL SELECT 'storages', (SELECT json_agg(v) FROM (SELECT * FROM coterie.storages s ORDER BY s.node) v);
    -- Most clusters have nothing to do with it, and need not plan it.
    IF EXISTS (SELECT FROM coterie.trust_renderings) THEN
        RETURN QUERY
        SELECT 'trusts', (SELECT json_agg(v) FROM (SELECT * FROM coterie.trusts t ORDER BY t.ok IS TRUE, t.from_node, t.to_node LIMIT 1000) v);
    ELSE
        RETURN QUERY SELECT 'trusts', NULL::json;
    END IF;
END $$;
COMMENT ON FUNCTION coterie.console_lists() IS 'Every list that the console shows, with the name of its view; null where it is empty.';
REVOKE ALL ON FUNCTION coterie.console_lists() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.console_lists() TO coterie_agent;
