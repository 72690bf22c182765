CREATE OR REPLACE FUNCTION coterie.encryption_see(p_node text, p_incarnation bigint, p_path text, p_sha256 text, p_error text)
RETURNS TABLE (told boolean, expected text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    before coterie.encryption_node;
    changed boolean;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN QUERY SELECT false, NULL::text;
        RETURN;
    END IF;
    SELECT * INTO before FROM coterie.encryption_node n WHERE n.node = p_node FOR UPDATE;
    INSERT INTO coterie.encryption_node AS n (node, incarnation, path, sha256, error)
    VALUES (p_node, p_incarnation, p_path, p_sha256, left(p_error, 2000))
    ON CONFLICT (node) DO UPDATE
    SET incarnation = excluded.incarnation, path = excluded.path, sha256 = excluded.sha256, error = excluded.error, seen_at = coterie.clock()
    WHERE (n.incarnation, n.path, n.sha256, n.error) IS DISTINCT FROM (excluded.incarnation, excluded.path, excluded.sha256, excluded.error);
    changed := FOUND AND (before.path, before.sha256, before.error) IS DISTINCT FROM (p_path, p_sha256, left(p_error, 2000));
    IF p_sha256 IS NOT NULL THEN
        -- The first that is seen is the one, until somebody says otherwise.
        INSERT INTO coterie.encryption (path, sha256) VALUES (p_path, p_sha256) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            INSERT INTO coterie.event (node, kind, subject, detail)
            VALUES (p_node, 'encryption.first', p_path, jsonb_build_object('sha256', p_sha256));
        END IF;
    END IF;
    IF changed AND EXISTS (SELECT FROM coterie.encryption e WHERE e.sha256 IS DISTINCT FROM p_sha256) THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_node, 'encryption.differs', p_node, nullif(left(p_error, 2000), ''), jsonb_build_object('path', p_path, 'sha256', p_sha256));
    END IF;
    RETURN QUERY SELECT true, (SELECT e.sha256 FROM coterie.encryption e);
END $$;
COMMENT ON FUNCTION coterie.encryption_see(text, bigint, text, text, text) IS
    'A node tells what it sees of the encryption keystore, and hears which one all must see; null while nobody has seen any. Told is false when another life of the node is at work. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.encryption_see(text, bigint, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.encryption_see(text, bigint, text, text, text) TO coterie_agent;
