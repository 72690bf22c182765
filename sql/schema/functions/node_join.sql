CREATE OR REPLACE FUNCTION coterie.node_join(
    p_cluster text, p_name text, p_id text, p_address text, p_host text, p_version text, p_app_version text,
    p_tags text[], p_candidate boolean, p_weight int, p_actions text[])
RETURNS TABLE (cluster_id uuid, goal coterie.node_goal)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
DECLARE
    c coterie.cluster;
    n coterie.node;
BEGIN
    SELECT * INTO c FROM coterie.cluster;
    IF length(p_id) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION 'an identity has 1 to 200 characters, not %', length(p_id) USING ERRCODE = '22023';
    END IF;
    IF c.name IS DISTINCT FROM p_cluster THEN
        RAISE EXCEPTION 'this database holds the cluster %, not %', coalesce(quote_literal(c.name), 'of nobody'), quote_literal(p_cluster)
            USING ERRCODE = 'CT010';
    END IF;

    SELECT * INTO n FROM coterie.node WHERE name = p_name;
    IF FOUND AND n.id <> p_id THEN
        -- Another installation has this name. It may have it back only after the first one left.
        IF n.state <> 'left' OR EXISTS (SELECT FROM coterie.session s WHERE s.node = p_name AND s.expires_at > coterie.clock()) THEN
            INSERT INTO coterie.event (node, kind, subject, reason, detail)
            VALUES (p_name, 'node.refused', p_name, 'another installation has this name', jsonb_build_object('id', p_id, 'host', left(p_host, 255)));
            RETURN;
        END IF;
    END IF;
    IF n.state = 'evicted' THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_name, 'node.refused', p_name, 'it was evicted', jsonb_build_object('id', p_id, 'host', left(p_host, 255)));
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM coterie.session s WHERE s.node = p_name AND s.login <> session_user AND s.expires_at > coterie.clock()) THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_name, 'node.refused', p_name, 'a node of this name lives under another login', jsonb_build_object('host', left(p_host, 255)));
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM coterie.node WHERE id = p_id AND name <> p_name) THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_name, 'node.refused', p_name, 'its identity belongs to another node: a copied installation',
                jsonb_build_object('id', p_id, 'host', left(p_host, 255)));
        RETURN;
    END IF;

    -- What an installation says of itself is shown to everybody: no more of it than anybody reads.
    INSERT INTO coterie.node AS o (name, id, address, host, version, app_version, tags, candidate, weight, actions)
    VALUES (p_name, p_id, left(p_address, 255), left(p_host, 255), left(p_version, 100), left(p_app_version, 100),
            ARRAY(SELECT left(tag, 100) FROM unnest(p_tags[:100]) AS tag), p_candidate, p_weight, ARRAY(SELECT left(action, 100) FROM unnest(p_actions[:1000]) AS action))
    ON CONFLICT (name) DO UPDATE
    SET id = excluded.id, address = excluded.address, host = excluded.host, version = excluded.version, app_version = excluded.app_version,
        tags = excluded.tags, candidate = excluded.candidate, weight = excluded.weight, actions = excluded.actions, state = 'joining', state_at = coterie.clock(), message = '';
    INSERT INTO coterie.event (node, kind, subject, detail)
    VALUES (p_name, 'node.joined', p_name, jsonb_build_object('host', left(p_host, 255), 'version', left(p_version, 100), 'new', n.name IS NULL));
    RETURN QUERY SELECT c.id, o.goal FROM coterie.node o WHERE o.name = p_name;
END $$;
COMMENT ON FUNCTION coterie.node_join(text, text, text, text, text, text, text, text[], boolean, int, text[]) IS
    'Registers a node, new or back again. No row when it is refused: the name belongs to another installation, the installation is a copy, or it was evicted; the ledger says which.';
REVOKE ALL ON FUNCTION coterie.node_join(text, text, text, text, text, text, text, text[], boolean, int, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.node_join(text, text, text, text, text, text, text, text[], boolean, int, text[]) TO coterie_agent;
