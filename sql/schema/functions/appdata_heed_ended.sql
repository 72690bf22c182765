CREATE OR REPLACE FUNCTION coterie.appdata_heed_ended(p_node text, p_incarnation bigint, p_hook text, p_trouble text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    before text;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s
    WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT h.trouble INTO before FROM coterie.appdata_hook h WHERE h.node = p_node AND h.hook = p_hook FOR UPDATE;
    UPDATE coterie.appdata_hook h
    SET acted_at = coterie.clock(), acted = h.acted + 1, trouble = left(p_trouble, 500)
    WHERE h.node = p_node AND h.hook = p_hook;
    IF FOUND AND p_trouble <> '' AND before = '' THEN
        INSERT INTO coterie.event (node, kind, subject, reason) VALUES (p_node, 'hook.failed', p_hook, left(p_trouble, 500));
    END IF;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION coterie.appdata_heed_ended(text, bigint, text, text) IS
    'A hook of a node has acted upon changes of the share; p_trouble says what went wrong, empty when nothing did. False for another life of the node.';
REVOKE ALL ON FUNCTION coterie.appdata_heed_ended(text, bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_heed_ended(text, bigint, text, text) TO coterie_agent;
