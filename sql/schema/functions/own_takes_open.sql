CREATE OR REPLACE FUNCTION coterie.own_takes_open(p_node text)
RETURNS TABLE (id bigint, node text, source text, path text, state text, class text, was text, raw text, size bigint, mode integer, uid bigint, gid bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT k.id, k.node, k.source, k.path, k.state, coalesce(k.class, ''), coalesce(k.was, ''), coalesce(k.raw, ''), coalesce(k.size, 0),
           coalesce(k.mode, 0), coalesce(k.uid, 0), coalesce(k.gid, 0)
    FROM coterie.own_take k
    WHERE k.source = p_node AND k.state = 'asked' OR k.node = p_node AND k.state = 'given'
       OR k.source = p_node AND k.state = 'withdrawn' AND k.moved_at > coterie.clock() - interval '1 minute'
    ORDER BY k.id LIMIT 100
$$;
COMMENT ON FUNCTION coterie.own_takes_open(text) IS
    'Files that a node is to give to another, to take from one, or of which it is to remove the copy because they were withdrawn: a hundred at a time, with the digests by which a copy is known.';
REVOKE ALL ON FUNCTION coterie.own_takes_open(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.own_takes_open(text) TO coterie_agent;
