CREATE OR REPLACE FUNCTION coterie.storage_owns(p_node text)
RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    WITH able AS (
        SELECT c.node, c.incarnation
        FROM coterie.challenge c
        JOIN coterie.session s ON s.node = c.node AND s.incarnation = c.incarnation AND s.expires_at > coterie.clock()
        JOIN coterie.storage v ON v.node = c.node AND v.state IN ('OK', 'DEGRADED')
    ), sees AS (
        SELECT g.reader, g.writer
        FROM coterie.sight g
        JOIN able r ON r.node = g.reader AND r.incarnation = g.reader_incarnation
        JOIN able w ON w.node = g.writer AND w.incarnation = g.writer_incarnation
        WHERE g.seen
    )
    SELECT CASE WHEN EXISTS (SELECT FROM able WHERE node = p_node)
                THEN (100 * (1 + (SELECT count(*) FROM sees a JOIN sees b ON b.reader = a.writer AND b.writer = a.reader WHERE a.reader = p_node))
                      / greatest((SELECT count(*) FROM able), 1))::integer
                WHEN EXISTS (SELECT FROM coterie.session s JOIN coterie.storage v ON v.node = s.node WHERE s.node = p_node) THEN 0 END
$$;
COMMENT ON FUNCTION coterie.storage_owns(text) IS
    'Of the nodes that live and can use the share, itself included: with how many in a hundred a node has seen each other there. 0 for one that lives and cannot, null for one that does not live or has not looked.';
REVOKE ALL ON FUNCTION coterie.storage_owns(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.storage_owns(text) TO coterie_reader;
