CREATE OR REPLACE FUNCTION coterie.node_taken(p_name text, p_id text, p_host text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    -- Whatever starts the copy again and again must not fill the ledger.
    INSERT INTO coterie.event (node, kind, subject, reason, detail)
    SELECT p_name, 'node.refused', p_name, 'another process is at work under this name: a copied installation, or two that were given one name',
           jsonb_build_object('id', left(p_id, 200), 'host', left(p_host, 255))
    WHERE NOT EXISTS (SELECT FROM coterie.event e
                      WHERE e.subject = p_name AND e.kind = 'node.refused' AND e.detail->>'host' = left(p_host, 255)
                        AND e.reason LIKE 'another process %' AND e.at > coterie.clock() - interval '10min')
$$;
COMMENT ON FUNCTION coterie.node_taken(text, text, text) IS
    'Records that an installation gave up its name because another process was seen at work under it; once in ten minutes.';
REVOKE ALL ON FUNCTION coterie.node_taken(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.node_taken(text, text, text) TO coterie_agent;
