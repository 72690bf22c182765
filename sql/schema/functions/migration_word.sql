CREATE OR REPLACE FUNCTION coterie.migration_word(p_plan text)
RETURNS TABLE (state text, manifest text, node text, files bigint, bytes bigint, message text, mark jsonb, others bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT r.state, r.manifest, coalesce(r.node, ''), r.files, r.bytes, r.message, CASE WHEN r.state IN ('well', 'bad') THEN r.mark END,
           (SELECT count(*) FROM coterie.session s WHERE s.node <> m.node AND s.expires_at > coterie.clock())
    FROM coterie.migration_reading r JOIN coterie.migration m ON m.plan = r.plan
    WHERE r.plan = p_plan
$$;
COMMENT ON FUNCTION coterie.migration_word(text) IS
    'How far a plan is read back from the share by the agent of another node, its word when it has, and how many other nodes are at work that could read it.';
REVOKE ALL ON FUNCTION coterie.migration_word(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.migration_word(text) TO coterie_agent, coterie_operator;
