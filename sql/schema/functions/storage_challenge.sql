CREATE OR REPLACE FUNCTION coterie.storage_challenge(p_node text, p_incarnation bigint, p_nonce text, p_every_ms bigint)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s
    WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.challenge AS c (node, incarnation, nonce, every)
    VALUES (p_node, p_incarnation, p_nonce, p_every_ms * interval '1 millisecond')
    ON CONFLICT (node) DO UPDATE
    SET incarnation = excluded.incarnation, nonce = excluded.nonce, every = excluded.every, at = excluded.at
    WHERE (c.incarnation, c.nonce, c.every) IS DISTINCT FROM (excluded.incarnation, excluded.nonce, excluded.every);
    IF FOUND THEN
        -- The others look at the share when they hear of it.
        INSERT INTO coterie.event (node, kind, subject) VALUES (p_node, 'storage.challenged', p_node);
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.storage_challenge(text, bigint, text, bigint) IS
    'A node tells which nonce it writes to the share, and how often; it has written it before. False when another life of the node is at work. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.storage_challenge(text, bigint, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.storage_challenge(text, bigint, text, bigint) TO coterie_agent;
