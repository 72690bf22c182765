CREATE OR REPLACE FUNCTION coterie.own_texts_wanted(p_node text) RETURNS TABLE (path text, digest text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    WITH wanted AS (
        SELECT d.path, d.found AS digest FROM coterie.drift d
        WHERE d.node = p_node AND 'content' = ANY (d.differs) AND d.class <> 'secret'
        UNION
        SELECT d.path, coalesce(d.expected, (SELECT o.found FROM coterie.drift o WHERE o.node = p_node AND o.path = d.path)) FROM coterie.drift d
        WHERE d.against = p_node AND 'content' = ANY (d.differs) AND d.class <> 'secret'
    )
    SELECT w.path, w.digest FROM wanted w
    WHERE w.digest ~ '^[0-9a-f]{64}$' AND NOT EXISTS (SELECT FROM coterie.own_text t WHERE t.node = p_node AND t.path = w.path AND t.digest = w.digest)
    ORDER BY w.path LIMIT 100
$$;
COMMENT ON FUNCTION coterie.own_texts_wanted(text) IS 'Files whose text is to be shown beside another node''s, and was not told yet: a hundred at a time, and none of the class secret.';
REVOKE ALL ON FUNCTION coterie.own_texts_wanted(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.own_texts_wanted(text) TO coterie_agent;
