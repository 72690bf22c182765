CREATE OR REPLACE FUNCTION coterie.own_see(p_node text, p_incarnation bigint, p_root text, p_rules text, p_every interval, p_trouble text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.own AS o (node, incarnation, root, rules, every, trouble)
    VALUES (p_node, p_incarnation, p_root, p_rules, p_every, left(p_trouble, 2000))
    ON CONFLICT (node) DO UPDATE
    SET incarnation = excluded.incarnation, root = excluded.root, rules = excluded.rules, every = excluded.every, trouble = excluded.trouble,
        since = CASE WHEN (o.trouble = '') = (excluded.trouble = '') THEN o.since ELSE coterie.clock() END
    WHERE (o.incarnation, o.root, o.rules, o.every, o.trouble) IS DISTINCT FROM (excluded.incarnation, excluded.root, excluded.rules, excluded.every, excluded.trouble);
    PERFORM coterie.own_settle();
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.own_see(text, bigint, text, text, interval, text) IS
    'A node has looked at its own files, or tells why it cannot; then what differs between the nodes is settled anew. False when another life of the node is at work. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.own_see(text, bigint, text, text, interval, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.own_see(text, bigint, text, text, interval, text) TO coterie_agent;
