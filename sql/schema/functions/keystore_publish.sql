CREATE OR REPLACE FUNCTION coterie.keystore_publish(p_node text, p_incarnation bigint, p_identity bytea, p_seal bytea, p_signature bytea)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM coterie.keystore_recipient r WHERE r.name = p_node AND r.identity = p_identity AND r.seal = p_seal AND r.signature = p_signature;
    IF FOUND THEN
        RETURN true;
    END IF;
    INSERT INTO coterie.keystore_recipient AS r (name, node, identity, seal, signature, fingerprint)
    VALUES (p_node, p_node, p_identity, p_seal, p_signature, encode(sha256(p_seal), 'hex'))
    ON CONFLICT (name) DO UPDATE
    SET identity = excluded.identity, seal = excluded.seal, signature = excluded.signature, fingerprint = excluded.fingerprint,
        published_at = coterie.clock(), published_by = session_user;
    INSERT INTO coterie.event (node, kind, subject, detail)
    VALUES (p_node, 'keystore.key', p_node, jsonb_build_object('fingerprint', encode(sha256(p_seal), 'hex')));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.keystore_publish(text, bigint, bytea, bytea, bytea) IS
    'A node publishes the key that keystores are sealed to for it; false when another life of the node is at work. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.keystore_publish(text, bigint, bytea, bytea, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_publish(text, bigint, bytea, bytea, bytea) TO coterie_agent;
