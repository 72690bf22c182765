CREATE OR REPLACE FUNCTION coterie.own_texts(p_node text, p_path text) RETURNS TABLE (expected text, found text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT e.body, f.body
    FROM coterie.drift d
    JOIN coterie.own_text f ON f.node = d.node AND f.path = d.path AND f.digest = d.found
    JOIN coterie.own_text e ON e.node = d.against AND e.path = d.path AND e.digest = coalesce(d.expected, e.digest)
    WHERE d.node = p_node AND d.path = p_path AND d.class <> 'secret'
$$;
COMMENT ON FUNCTION coterie.own_texts(text, text) IS 'What is shown of a file that differs on a node, and of the one it is held against; no row while either has not been told. For operators: configuration is not for everybody who may look at the state of the cluster.';
REVOKE ALL ON FUNCTION coterie.own_texts(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.own_texts(text, text) TO coterie_operator;
