CREATE OR REPLACE FUNCTION coterie.trust_known(p_node text, p_fingerprint text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT CASE WHEN k.version IS NULL THEN 'the trust store does not have it yet'
                ELSE coalesce((SELECT string_agg(t.node, ' ' ORDER BY t.node)
                               FROM coterie.trust_node t
                               JOIN coterie.session s ON s.node = t.node AND s.expires_at > coterie.clock()
                               JOIN coterie.node n ON n.name = t.node AND coterie.trust_admits(n.id)
                               WHERE t.state <> 'none' AND t.version < k.version), '') END
    -- Since when without a gap: it may have been there long ago, and not lately.
    FROM (SELECT min(e.version) AS version
          FROM coterie.trust_entry e
          WHERE e.node = p_node AND e.fingerprint = p_fingerprint
            AND e.version > coalesce((SELECT max(s.version) FROM coterie.trust_store s
                                      WHERE NOT EXISTS (SELECT FROM coterie.trust_entry o
                                                        WHERE o.version = s.version AND o.node = p_node AND o.fingerprint = p_fingerprint)), -1)) k
$$;
COMMENT ON FUNCTION coterie.trust_known(text, text) IS 'Living nodes that have not rendered yet that a certificate of a node is trusted; empty when all of them have.';
REVOKE ALL ON FUNCTION coterie.trust_known(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.trust_known(text, text) TO coterie_agent;
