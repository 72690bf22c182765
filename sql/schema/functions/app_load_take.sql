CREATE OR REPLACE FUNCTION coterie.app_load_take(p_node text, p_path text, p_digest text, p_by text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    INSERT INTO coterie.app_load (path, digest, node) VALUES (p_path, p_digest, p_node) ON CONFLICT (path, digest) DO NOTHING;
    IF FOUND THEN
        INSERT INTO coterie.event (node, kind, subject, actor, detail) VALUES (p_node, 'app.load_taken', p_path, p_by, jsonb_build_object('digest', p_digest));
    END IF;
    RETURN (SELECT jsonb_build_object('node', l.node, 'state', l.state) FROM coterie.app_load l WHERE l.path = p_path AND l.digest = p_digest);
END $$;
COMMENT ON FUNCTION coterie.app_load_take(text, text, text, text) IS
    'A node takes a load file for its server, unless another one has: who has it then, and whether it is loaded. Asking again changes nothing.';
REVOKE ALL ON FUNCTION coterie.app_load_take(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.app_load_take(text, text, text, text) TO coterie_agent, coterie_operator;
