CREATE OR REPLACE FUNCTION coterie.own_take_move(p_node text, p_incarnation bigint, p_id bigint, p_state text, p_taken jsonb, p_error text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    moved coterie.own_take;
BEGIN
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE coterie.own_take k
    SET state = p_state, error = nullif(left(p_error, 2000), ''), moved_at = coterie.clock(),
        raw = coalesce(nullif(p_taken->>'raw', ''), k.raw), size = coalesce((p_taken->>'size')::bigint, k.size), mode = coalesce((p_taken->>'mode')::integer, k.mode),
        uid = coalesce((p_taken->>'uid')::bigint, k.uid), gid = coalesce((p_taken->>'gid')::bigint, k.gid), backup = coalesce(nullif(p_taken->>'backup', ''), k.backup)
    WHERE k.id = p_id
      AND (k.source = p_node AND k.state = 'asked' AND p_state IN ('given', 'failed')
           -- What was withdrawn while it was written is told as well.
           OR k.node = p_node AND k.state IN ('given', 'withdrawn') AND p_state IN ('taken', 'failed'))
    RETURNING k.* INTO moved;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.event (node, kind, subject, actor, peer, reason, detail)
    VALUES (moved.node, 'appdata.' || p_state, moved.path, moved.by_whom, moved.source, moved.error,
            jsonb_build_object('request', moved.id, 'raw', CASE WHEN moved.class <> 'secret' THEN moved.raw END, 'backup', moved.backup));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.own_take_move(text, bigint, bigint, text, jsonb, text) IS
    'A node has given, taken or failed to take a file. False when it was not its turn, or another life of the node is at work.';
REVOKE ALL ON FUNCTION coterie.own_take_move(text, bigint, bigint, text, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.own_take_move(text, bigint, bigint, text, jsonb, text) TO coterie_agent;
