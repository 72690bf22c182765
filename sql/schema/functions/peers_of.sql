CREATE OR REPLACE FUNCTION coterie.peers_of(p_node text) RETURNS json
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Each node watches its next 32 neighbours on the ring of names: all of a small cluster,
    -- and in a large one each session has 32 watchers while a heartbeat stays cheap. Those after
    -- the node, then those from the beginning: each part in the order of the index, none sorted.
    RETURN (
        SELECT json_agg(json_build_object('node', node, 'incarnation', incarnation, 'beats', beats, 'ttl_ms', ttl_ms, 'expired', expired))
        FROM ((SELECT s.node, s.incarnation, s.beats, extract(epoch FROM s.ttl) * 1000 AS ttl_ms, coterie.is_expired(s) AS expired
               FROM coterie.session s WHERE s.node > p_node ORDER BY s.node LIMIT 32)
              UNION ALL
              (SELECT s.node, s.incarnation, s.beats, extract(epoch FROM s.ttl) * 1000, coterie.is_expired(s)
               FROM coterie.session s WHERE s.node < p_node ORDER BY s.node LIMIT 32)
              LIMIT 32) AS ring);
END $$;
COMMENT ON FUNCTION coterie.peers_of(text) IS 'The sessions that a node watches: its neighbours on the ring of names.';
REVOKE ALL ON FUNCTION coterie.peers_of(text) FROM PUBLIC;
