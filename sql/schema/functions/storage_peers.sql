CREATE OR REPLACE FUNCTION coterie.storage_peers(p_node text, p_incarnation bigint)
RETURNS TABLE (peer text, incarnation bigint, nonce text, every_ms bigint, newer boolean, counts boolean, first boolean, sees_me boolean, generation bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp
    SET plan_cache_mode = force_generic_plan AS $$ -- planned once for each connection
#variable_conflict use_column
BEGIN
    -- A peer that is frozen, or cannot use its own share, is not waited for. One whose share the others
    -- took for another is looked for all the same: what they see of it is how it becomes well again.
    RETURN QUERY SELECT c.node, c.incarnation, c.nonce, (extract(epoch FROM c.every) * 1000)::bigint,
           c.at > mine.started_at,
           coalesce(v.state, 'OK') IN ('OK', 'DEGRADED')
               AND (n.state IN ('ready', 'draining', 'drained') OR (n.joined_at, n.name) < (me.joined_at, me.name)),
           (n.joined_at, n.name) < (me.joined_at, me.name),
           g.seen, (SELECT share_generation FROM coterie.cluster)
    FROM coterie.session mine
    JOIN coterie.node me ON me.name = mine.node
    CROSS JOIN coterie.setting t
    CROSS JOIN coterie.challenge c
    JOIN coterie.node n ON n.name = c.node
    JOIN coterie.session s ON s.node = c.node AND s.incarnation = c.incarnation
    LEFT JOIN coterie.storage v ON v.node = c.node
    LEFT JOIN coterie.sight g ON g.reader = c.node AND g.reader_incarnation = c.incarnation AND g.writer = p_node AND g.writer_incarnation = p_incarnation
    WHERE mine.node = p_node AND mine.incarnation = p_incarnation
      AND (c.node = p_node OR s.expires_at > coterie.clock() AND s.renewed_at > coterie.clock() - 2.25 * t.heartbeat
           AND coalesce(v.state, 'OK') IN ('OK', 'DEGRADED', 'WRONG_SHARE', 'STALE'));
END $$;
COMMENT ON FUNCTION coterie.storage_peers(text, bigint) IS
    'For a node''s present life: itself and the other nodes that live and can use the share, or might again once they are seen there; what each writes there and how often; whether it told so since this life began; whether the node must see it and be seen by it before it is ready, and whether it came before; whether it sees the node, null when it has not told; and the generation that the share must have.';
REVOKE ALL ON FUNCTION coterie.storage_peers(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.storage_peers(text, bigint) TO coterie_agent, coterie_reader;
