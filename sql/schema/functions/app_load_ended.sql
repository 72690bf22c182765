CREATE OR REPLACE FUNCTION coterie.app_load_ended(p_node text, p_path text, p_digest text, p_by text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    UPDATE coterie.app_load l SET state = 'loaded', loaded_at = coterie.clock()
    WHERE l.path = p_path AND l.digest = p_digest AND l.node = p_node AND l.state = 'taken';
    IF FOUND THEN
        INSERT INTO coterie.event (node, kind, subject, actor, detail) VALUES (p_node, 'app.loaded', p_path, p_by, jsonb_build_object('digest', p_digest));
    END IF;
    RETURN EXISTS (SELECT FROM coterie.app_load l WHERE l.path = p_path AND l.digest = p_digest AND l.state = 'loaded');
END $$;
COMMENT ON FUNCTION coterie.app_load_ended(text, text, text, text) IS
    'A node that has taken a load file says that its server has executed it. Whether it is loaded, by whomever.';
REVOKE ALL ON FUNCTION coterie.app_load_ended(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.app_load_ended(text, text, text, text) TO coterie_agent, coterie_operator;
