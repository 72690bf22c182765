CREATE OR REPLACE FUNCTION coterie.peers_of(p_node text) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    -- Each node watches its next 32 neighbours on the ring of names: all of a small cluster,
    -- and in a large one each session has 32 watchers while a heartbeat stays cheap.
    SELECT json_agg(json_build_object('node', node, 'incarnation', incarnation, 'beats', beats,
                                      'ttl_ms', extract(epoch FROM ttl) * 1000, 'expired', coterie.is_expired(ring)))
    FROM (SELECT s AS ring, s.* FROM coterie.session s WHERE node <> p_node ORDER BY node < p_node, node LIMIT 32) AS peer
$$;
COMMENT ON FUNCTION coterie.peers_of(text) IS 'The sessions that a node watches: its neighbours on the ring of names.';
REVOKE ALL ON FUNCTION coterie.peers_of(text) FROM PUBLIC;
