CREATE OR REPLACE FUNCTION coterie.keystore_turn(
    p_node text, p_incarnation bigint, p_rollout bigint, p_turn bigint, p_phase coterie.keystore_phase,
    p_canary text, p_failed_node text, p_failure text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    was coterie.keystore_rollout;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- Any node may turn it on, but only upon the rows that there are: the turn counts every vote and report.
    SELECT * INTO was FROM coterie.keystore_rollout r WHERE r.id = p_rollout AND r.turn = p_turn AND r.ended_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM coterie.transition t WHERE t.machine = 'keystore' AND t.from_state = was.phase::text AND t.to_state = p_phase::text;
    IF NOT FOUND OR p_phase = 'cancelled' THEN
        RAISE EXCEPTION 'a rollout does not go from % to %', was.phase, p_phase USING ERRCODE = 'CT011';
    END IF;
    UPDATE coterie.keystore_rollout r
    SET phase = p_phase, turn = r.turn + 1, canary = coalesce(p_canary, r.canary), moved_at = coterie.clock(),
        failure = coalesce(r.failure, nullif(left(p_failure, 2000), '')), failed_node = coalesce(r.failed_node, p_failed_node),
        ended_at = CASE WHEN p_phase IN ('done', 'refused', 'failed') THEN coterie.clock() END
    WHERE r.id = p_rollout;
    IF p_phase = 'done' THEN
        UPDATE coterie.keystore k SET state = 'retired' WHERE k.name = was.name AND k.state = 'active';
        UPDATE coterie.keystore k SET state = 'active' WHERE k.name = was.name AND k.version = was.version;
    ELSIF p_phase IN ('refused', 'failed') THEN
        UPDATE coterie.keystore k SET state = 'rejected' WHERE k.name = was.name AND k.version = was.version AND k.state = 'staged';
    END IF;
    INSERT INTO coterie.event (node, kind, subject, reason, detail)
    VALUES (p_node, 'keystore.' || p_phase, was.name, nullif(left(p_failure, 2000), ''),
            jsonb_build_object('version', was.version, 'rollout', was.id, 'canary', coalesce(p_canary, was.canary), 'failed_node', p_failed_node));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.keystore_turn(text, bigint, bigint, bigint, coterie.keystore_phase, text, text, text) IS
    'A node turns a rollout to its next phase, decided upon the rows of that turn; false when they moved meanwhile, or another life of the node is at work. With the last turn the version is the active one.';
REVOKE ALL ON FUNCTION coterie.keystore_turn(text, bigint, bigint, bigint, coterie.keystore_phase, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_turn(text, bigint, bigint, bigint, coterie.keystore_phase, text, text, text) TO coterie_agent;
