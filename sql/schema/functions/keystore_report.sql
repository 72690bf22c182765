CREATE OR REPLACE FUNCTION coterie.keystore_report(
    p_node text, p_incarnation bigint, p_name text, p_version bigint, p_state coterie.keystore_place,
    p_file_sha256 text, p_served_fingerprint text, p_rollout bigint, p_phase coterie.keystore_phase, p_error text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    before coterie.keystore_node;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT * INTO before FROM coterie.keystore_node n WHERE n.name = p_name AND n.node = p_node FOR UPDATE;
    INSERT INTO coterie.keystore_node AS n (name, node, incarnation, version, state, file_sha256, served_fingerprint, rollout, phase, error)
    VALUES (p_name, p_node, p_incarnation, p_version, p_state, p_file_sha256, p_served_fingerprint, p_rollout, p_phase, left(p_error, 2000))
    ON CONFLICT (name, node) DO UPDATE
    SET incarnation = excluded.incarnation, version = excluded.version, state = excluded.state, file_sha256 = excluded.file_sha256,
        served_fingerprint = excluded.served_fingerprint, rollout = excluded.rollout, phase = excluded.phase, error = excluded.error,
        reported_at = coterie.clock()
    WHERE (n.incarnation, n.version, n.state, n.file_sha256, n.served_fingerprint, n.rollout, n.phase, n.error) IS DISTINCT FROM
          (excluded.incarnation, excluded.version, excluded.state, excluded.file_sha256, excluded.served_fingerprint, excluded.rollout, excluded.phase, excluded.error);
    IF NOT FOUND THEN
        RETURN true; -- it said so before
    END IF;
    -- Who is done gives the others their time anew.
    UPDATE coterie.keystore_rollout r
    SET turn = r.turn + 1, moved_at = CASE WHEN p_state IN ('proved', 'placed') THEN coterie.clock() ELSE r.moved_at END
    WHERE r.name = p_name AND r.ended_at IS NULL;
    -- That a new life has what the former one had is no news.
    IF FOUND OR (before.version, before.state, before.file_sha256, before.served_fingerprint) IS DISTINCT FROM (p_version, p_state, p_file_sha256, p_served_fingerprint) THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_node, 'keystore.reported', p_name, nullif(left(p_error, 2000), ''),
                jsonb_build_object('version', p_version, 'state', p_state, 'fingerprint', p_served_fingerprint));
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.keystore_report(text, bigint, text, bigint, coterie.keystore_place, text, text, bigint, coterie.keystore_phase, text) IS
    'A node reports what it has in place of a keystore and what its server shows; false when another life of the node is at work. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.keystore_report(text, bigint, text, bigint, coterie.keystore_place, text, text, bigint, coterie.keystore_phase, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_report(text, bigint, text, bigint, coterie.keystore_place, text, text, bigint, coterie.keystore_phase, text) TO coterie_agent;
