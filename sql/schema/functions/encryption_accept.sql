CREATE OR REPLACE FUNCTION coterie.encryption_accept(p_sha256 text, p_was text, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    was text;
    its_path text;
BEGIN
    -- One after another: who comes second is told that somebody was first.
    PERFORM FROM coterie.cluster FOR UPDATE;
    SELECT e.sha256 INTO was FROM coterie.encryption e;
    IF was IS NOT DISTINCT FROM p_sha256 THEN
        RETURN true;
    END IF;
    IF was IS DISTINCT FROM p_was THEN
        RETURN false;
    END IF;
    SELECT n.path INTO its_path FROM coterie.encryption_node n WHERE n.sha256 IS NOT DISTINCT FROM p_sha256 ORDER BY n.node LIMIT 1;
    IF NOT FOUND THEN
        RETURN false; -- nobody sees that any more
    END IF;
    DELETE FROM coterie.encryption;
    IF p_sha256 IS NOT NULL THEN
        INSERT INTO coterie.encryption (path, sha256, reason) VALUES (its_path, p_sha256, nullif(left(p_reason, 2000), ''));
    END IF;
    INSERT INTO coterie.event (kind, subject, actor, reason, detail)
    VALUES ('encryption.accepted', its_path, p_by, nullif(left(p_reason, 2000), ''), jsonb_build_object('sha256', p_sha256, 'was', was, 'by', p_by));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.encryption_accept(text, text, text, text) IS
    'An operator says that another encryption keystore is meant, or null for none, after he saw which one was expected and that a node sees the other. False when either changed meanwhile. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.encryption_accept(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.encryption_accept(text, text, text, text) TO coterie_operator;
