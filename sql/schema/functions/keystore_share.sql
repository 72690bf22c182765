CREATE OR REPLACE FUNCTION coterie.keystore_share(p_node text, p_incarnation bigint, p_name text, p_version bigint, p_recipient text, p_seal text, p_key bytea)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Fenced, and only for a recipient whose copy is missing or of a former key: nobody's copy is overwritten.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM coterie.keystore_recipient r WHERE r.name = p_recipient AND r.fingerprint = p_seal;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.keystore_copy AS c (name, version, recipient, seal, key)
    VALUES (p_name, p_version, p_recipient, p_seal, p_key)
    ON CONFLICT (name, version, recipient) DO UPDATE
    SET seal = excluded.seal, key = excluded.key, sealed_at = coterie.clock(), sealed_by = session_user
    WHERE c.seal <> excluded.seal;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.event (node, kind, subject, detail)
    VALUES (p_node, 'keystore.shared', p_name, jsonb_build_object('version', p_version, 'with', p_recipient));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.keystore_share(text, bigint, text, bigint, text, text, bytea) IS
    'A node that can open a version seals its key to a recipient that has no copy, or one of a former key; false when there was nothing to do.';
REVOKE ALL ON FUNCTION coterie.keystore_share(text, bigint, text, bigint, text, text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_share(text, bigint, text, bigint, text, text, bytea) TO coterie_agent;
