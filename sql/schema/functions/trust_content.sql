CREATE OR REPLACE FUNCTION coterie.trust_content()
RETURNS TABLE (alias text, node text, fingerprint text, certificate bytea, id text, identity bytea, signature bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    -- The first certificate of a node has its name: that which the server shows, or else the newest.
    SELECT CASE WHEN c.place = 1 THEN c.node ELSE c.node || ':' || left(c.fingerprint, 8) END,
           c.node, c.fingerprint, c.certificate, c.id, c.identity, c.signature
    FROM (SELECT t.node, t.fingerprint, t.certificate, t.id, t.identity, t.signature,
                 row_number() OVER (PARTITION BY t.node ORDER BY t.dropped_at IS NULL DESC, t.served DESC, t.version DESC) AS place
          FROM coterie.trust_certificate t
          JOIN coterie.node n ON n.name = t.node AND n.id = t.id
          CROSS JOIN coterie.setting s
          WHERE n.state <> 'evicted'
            AND (t.dropped_at IS NULL OR t.dropped_at + s.trust_overlap > coterie.clock())
            -- An agent that stopped says nothing about the server beside it, which others go on calling.
            AND (n.state <> 'left' OR n.state_at + s.trust_linger > coterie.clock())
            AND coterie.trust_admits(t.id)) c
    WHERE c.place <= 16 -- however many a node publishes in however short a time
    UNION ALL
    SELECT 'added:' || a.alias, NULL, a.fingerprint, a.certificate, NULL, NULL, NULL FROM coterie.trust_anchor a
$$;
COMMENT ON FUNCTION coterie.trust_content() IS 'What the trust store should have now.';
REVOKE ALL ON FUNCTION coterie.trust_content() FROM PUBLIC;
