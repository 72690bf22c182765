CREATE OR REPLACE FUNCTION coterie.keystore_vote(
    p_node text, p_incarnation bigint, p_name text, p_version bigint, p_ok boolean, p_serves boolean, p_alone boolean, p_why text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.keystore_vote AS v (name, version, node, incarnation, ok, serves, alone, why)
    VALUES (p_name, p_version, p_node, p_incarnation, p_ok, p_serves, p_alone, left(p_why, 2000))
    ON CONFLICT (name, version, node) DO UPDATE
    SET incarnation = excluded.incarnation, ok = excluded.ok, serves = excluded.serves, alone = excluded.alone,
        why = excluded.why, voted_at = coterie.clock()
    WHERE (v.incarnation, v.ok, v.serves, v.alone, v.why) IS DISTINCT FROM
          (excluded.incarnation, excluded.ok, excluded.serves, excluded.alone, excluded.why);
    IF NOT FOUND THEN
        RETURN true; -- it said so before
    END IF;
    UPDATE coterie.keystore_rollout r SET turn = r.turn + 1 WHERE r.name = p_name AND r.version = p_version AND r.ended_at IS NULL;
    INSERT INTO coterie.event (node, kind, subject, reason, detail)
    VALUES (p_node, 'keystore.voted', p_name, nullif(left(p_why, 2000), ''), jsonb_build_object('version', p_version, 'ok', p_ok));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.keystore_vote(text, bigint, text, bigint, boolean, boolean, boolean, text) IS
    'A node tells whether it would take a version of a keystore, and why not; false when another life of the node is at work. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.keystore_vote(text, bigint, text, bigint, boolean, boolean, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_vote(text, bigint, text, bigint, boolean, boolean, boolean, text) TO coterie_agent;
