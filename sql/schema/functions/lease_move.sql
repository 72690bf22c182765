CREATE OR REPLACE FUNCTION coterie.lease_move(p_name text, p_to text, p_now boolean, p_by text, p_reason text)
RETURNS TABLE (from_node text, to_node text, token bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
DECLARE
    l coterie.lease;
    target text := p_to;
BEGIN
    IF (SELECT paused FROM coterie.setting) THEN
        RAISE EXCEPTION 'hand-overs are paused by %', (SELECT coalesce(paused_by, 'somebody') FROM coterie.setting) USING ERRCODE = 'CT033';
    END IF;
    SELECT * INTO l FROM coterie.lease WHERE name = p_name FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no lease %', quote_literal(left(p_name, 80)) USING ERRCODE = 'CT030';
    END IF;
    IF l.node IS NULL OR NOT EXISTS (SELECT FROM coterie.session s WHERE s.node = l.node AND s.incarnation = l.incarnation) THEN
        RAISE EXCEPTION 'nobody holds %', quote_literal(p_name) USING ERRCODE = 'CT031', HINT = 'A free lease is taken within a heartbeat by a node that can.';
    END IF;
    IF target IS NULL THEN
        SELECT s.node INTO target FROM coterie.session s
        WHERE l.class = ANY (s.takes) AND s.node <> l.node AND NOT coterie.is_expired(s)
        ORDER BY (SELECT count(*) FROM coterie.lease h WHERE h.node = s.node AND h.incarnation = s.incarnation), s.node
        LIMIT 1;
    ELSIF target = l.node THEN
        UPDATE coterie.lease SET prefer = target, goal = NULL, goal_now = false WHERE name = p_name;
        RETURN QUERY SELECT l.node, l.node, l.token;
        RETURN;
    ELSIF NOT EXISTS (SELECT FROM coterie.session s
                      WHERE s.node = target AND l.class = ANY (s.takes) AND NOT coterie.is_expired(s)) THEN
        target := NULL;
    END IF;
    IF target IS NULL THEN
        RAISE EXCEPTION 'no living node but % takes %', l.node, quote_literal(p_name) USING ERRCODE = 'CT032';
    END IF;
    UPDATE coterie.lease SET goal = target, goal_now = p_now, prefer = p_to WHERE name = p_name;
    INSERT INTO coterie.event (node, kind, subject, token, peer, reason, detail)
    VALUES (l.node, 'lease.moving', p_name, l.token, target, nullif(p_reason, ''), jsonb_build_object('by', p_by, 'now', p_now));
    RETURN QUERY SELECT l.node, target, l.token;
END $$;
COMMENT ON FUNCTION coterie.lease_move(text, text, boolean, text, text) IS
    'An operator asks for a lease to be held by another node: the named one, which then keeps it, or the one that holds least. Its holder hands over between runs, or at once.';
REVOKE ALL ON FUNCTION coterie.lease_move(text, text, boolean, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.lease_move(text, text, boolean, text, text) TO coterie_operator;
