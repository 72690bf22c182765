CREATE OR REPLACE FUNCTION coterie.node_report(p_name text, p_incarnation bigint, p_state coterie.node_state, p_message text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    p_message := left(p_message, 2000);
    IF NOT EXISTS (SELECT FROM coterie.node n
                   LEFT JOIN coterie.transition t ON t.machine = 'node' AND t.from_state = n.state::text AND t.to_state = p_state::text
                   WHERE n.name = p_name AND (n.state = p_state OR t.machine IS NOT NULL)) THEN
        RAISE EXCEPTION 'node % may not become % now', quote_literal(p_name), p_state USING ERRCODE = 'CT011';
    END IF;
    -- Fenced: only the living incarnation of a node speaks for it.
    UPDATE coterie.node n
    SET state = p_state, message = p_message,
        state_at = CASE WHEN n.state = p_state THEN n.state_at ELSE coterie.clock() END
    WHERE n.name = p_name AND (n.state, n.message) IS DISTINCT FROM (p_state, p_message)
      AND EXISTS (SELECT FROM coterie.session s WHERE s.node = p_name AND s.incarnation = p_incarnation AND s.login = session_user);
    IF FOUND THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_name, 'node.reported', p_name, nullif(p_message, ''), jsonb_build_object('state', p_state));
    END IF;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION coterie.node_report(text, bigint, coterie.node_state, text) IS
    'A node reports its state and message; false when nothing changed or another life of the node is at work.';
REVOKE ALL ON FUNCTION coterie.node_report(text, bigint, coterie.node_state, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.node_report(text, bigint, coterie.node_state, text) TO coterie_agent;
