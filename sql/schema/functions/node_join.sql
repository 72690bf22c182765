CREATE OR REPLACE FUNCTION coterie.node_join(
    p_cluster text, p_name text, p_id text, p_address text, p_host text, p_version text, p_app_version text,
    p_tags text[], p_candidate boolean, p_actions text[])
RETURNS TABLE (cluster_id uuid, goal coterie.node_goal)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
DECLARE
    c coterie.cluster;
    n coterie.node;
BEGIN
    SELECT * INTO c FROM coterie.cluster;
    IF c.name IS DISTINCT FROM p_cluster THEN
        RAISE EXCEPTION 'this database holds the cluster %, not %', coalesce(quote_literal(c.name), 'of nobody'), quote_literal(p_cluster)
            USING ERRCODE = 'CT010';
    END IF;

    SELECT * INTO n FROM coterie.node WHERE name = p_name;
    IF FOUND AND n.id <> p_id THEN
        -- Another installation has this name. It may have it back only after the first one left.
        IF n.state <> 'left' OR EXISTS (SELECT FROM coterie.session s WHERE s.node = p_name AND s.expires_at > coterie.clock()) THEN
            INSERT INTO coterie.event (node, kind, subject, reason, detail)
            VALUES (p_name, 'node.refused', p_name, 'another installation has this name', jsonb_build_object('id', p_id, 'host', p_host));
            RETURN;
        END IF;
    END IF;
    IF EXISTS (SELECT FROM coterie.session s WHERE s.node = p_name AND s.login <> session_user AND s.expires_at > coterie.clock()) THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_name, 'node.refused', p_name, 'a node of this name lives under another login', jsonb_build_object('host', p_host));
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM coterie.node WHERE id = p_id AND name <> p_name) THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_name, 'node.refused', p_name, 'its identity belongs to another node: a copied installation',
                jsonb_build_object('id', p_id, 'host', p_host));
        RETURN;
    END IF;

    INSERT INTO coterie.node AS o (name, id, address, host, version, app_version, tags, candidate, actions)
    VALUES (p_name, p_id, p_address, p_host, p_version, p_app_version, p_tags, p_candidate, p_actions)
    ON CONFLICT (name) DO UPDATE
    SET id = p_id, address = p_address, host = p_host, version = p_version, app_version = p_app_version, tags = p_tags,
        candidate = p_candidate, actions = p_actions, state = 'joining', state_at = coterie.clock(), message = '';
    INSERT INTO coterie.event (node, kind, subject, detail)
    VALUES (p_name, 'node.joined', p_name, jsonb_build_object('host', p_host, 'version', p_version, 'new', n.name IS NULL));
    RETURN QUERY SELECT c.id, o.goal FROM coterie.node o WHERE o.name = p_name;
END $$;
COMMENT ON FUNCTION coterie.node_join(text, text, text, text, text, text, text, text[], boolean, text[]) IS
    'Registers a node, new or back again. No row when it is refused: the name belongs to another installation, or the installation is a copy; the ledger says which.';
REVOKE ALL ON FUNCTION coterie.node_join(text, text, text, text, text, text, text, text[], boolean, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.node_join(text, text, text, text, text, text, text, text[], boolean, text[]) TO coterie_agent;
