CREATE OR REPLACE FUNCTION coterie.keystore_recall(p_rollout bigint, p_by text, p_reason text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    was coterie.keystore_rollout;
    next coterie.keystore_phase;
    why text := left('called back by ' || p_by || coalesce(': ' || nullif(p_reason, ''), ''), 2000);
BEGIN
    SELECT * INTO was FROM coterie.keystore_rollout r WHERE r.id = p_rollout AND r.phase IN ('voting', 'canary', 'rest') FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- While they vote nobody has changed anything.
    next := CASE was.phase WHEN 'voting' THEN 'cancelled' ELSE 'back' END;
    UPDATE coterie.keystore_rollout r
    SET phase = next, turn = r.turn + 1, moved_at = coterie.clock(), failure = why,
        ended_at = CASE next WHEN 'cancelled' THEN coterie.clock() END
    WHERE r.id = p_rollout;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('keystore.' || next, was.name, nullif(left(p_reason, 2000), ''), jsonb_build_object('version', was.version, 'rollout', was.id, 'by', p_by));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.keystore_recall(bigint, text, text) IS
    'An operator calls a rollout back: every node gets what it had before. False when it is over, or on its way back.';
REVOKE ALL ON FUNCTION coterie.keystore_recall(bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_recall(bigint, text, text) TO coterie_operator;
