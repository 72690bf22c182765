CREATE OR REPLACE FUNCTION coterie.own_text_put(p_node text, p_incarnation bigint, p_path text, p_digest text, p_body text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND OR NOT EXISTS (SELECT FROM coterie.drift d WHERE d.path = p_path AND p_node IN (d.node, d.against) AND d.class <> 'secret') THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.own_text AS t (node, path, digest, body) VALUES (p_node, p_path, p_digest, p_body)
    ON CONFLICT (node, path) DO UPDATE SET digest = excluded.digest, body = excluded.body
    WHERE (t.digest, t.body) IS DISTINCT FROM (excluded.digest, excluded.body);
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.own_text_put(text, bigint, text, text, text) IS 'A node gives the text of a file that differs; null says that there is none to be shown. False when it does not differ, or is secret.';
REVOKE ALL ON FUNCTION coterie.own_text_put(text, bigint, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.own_text_put(text, bigint, text, text, text) TO coterie_agent;
