CREATE OR REPLACE FUNCTION coterie.appdata_heed(p_node text, p_incarnation bigint, p_hook text, p_most integer)
RETURNS TABLE (seq bigint, path text, from_path text, change text, kind text, class text, size bigint, digest text, seen_by text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
DECLARE
    share coterie.appdata_tree;
    before bigint;
    upto bigint;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s
    WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT t.* INTO share FROM coterie.appdata_tree t WHERE t.name = 'share';
    INSERT INTO coterie.appdata_hook (node, hook, seq) VALUES (p_node, p_hook, share.head) ON CONFLICT (node, hook) DO NOTHING;
    SELECT h.seq INTO before FROM coterie.appdata_hook h WHERE h.node = p_node AND h.hook = p_hook FOR UPDATE;
    -- Numbers are given in the order of commits: none comes later below what is there now.
    SELECT max(n.seq) INTO upto
    FROM (SELECT c.seq FROM coterie.appdata_change c WHERE c.tree = share.id AND c.seq > before ORDER BY c.seq LIMIT p_most) AS n;
    IF upto IS NULL THEN
        RETURN;
    END IF;
    UPDATE coterie.appdata_hook h SET seq = upto, heeded_at = coterie.clock() WHERE h.node = p_node AND h.hook = p_hook;
    RETURN QUERY
    SELECT c.seq, c.path, c.from_path, c.change, c.kind, c.class, c.size, encode(c.digest, 'hex'), c.seen_by
    FROM coterie.appdata_change c WHERE c.tree = share.id AND c.seq > before AND c.seq <= upto ORDER BY c.seq;
END $$;
COMMENT ON FUNCTION coterie.appdata_heed(text, bigint, text, integer) IS
    'What changed in the share since a hook of a node last asked, in order, so many at most; they are taken with the asking, and never given again. A hook that asks for the first time begins with what comes next. Nothing for another life of the node.';
REVOKE ALL ON FUNCTION coterie.appdata_heed(text, bigint, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_heed(text, bigint, text, integer) TO coterie_agent;
