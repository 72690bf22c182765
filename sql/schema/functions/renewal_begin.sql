CREATE OR REPLACE FUNCTION coterie.renewal_begin(
    p_node text, p_incarnation bigint, p_token bigint, p_name text, p_before interval, p_retry interval)
RETURNS TABLE (due boolean, why text, wait_s double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
DECLARE
    this_moment timestamptz := coterie.clock();
    active coterie.keystore;
    last coterie.renewal;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it, and only who holds the lease renews.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN QUERY SELECT false, 'another life of the node is at work', 1::float8;
        RETURN;
    END IF;
    PERFORM coterie.assert_lease('renewal/' || p_name, p_token);
    SELECT * INTO active FROM coterie.keystore k WHERE k.name = p_name AND k.state = 'active';
    IF active.version IS NULL THEN
        RETURN QUERY SELECT false, 'no version is active', 3600::float8;
        RETURN;
    END IF;
    IF active.not_after - p_before > this_moment THEN
        RETURN QUERY SELECT false, 'it is not time yet', extract(epoch FROM active.not_after - p_before - this_moment)::float8;
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM coterie.keystore_rollout r WHERE r.name = p_name AND r.ended_at IS NULL) THEN
        RETURN QUERY SELECT false, 'a version is on its way to the nodes', 5::float8;
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM coterie.keystore k WHERE k.name = p_name AND k.state = 'staged' AND k.version > active.version AND k.not_after > active.not_after) THEN
        RETURN QUERY SELECT false, 'a newer version is staged', 3600::float8;
        RETURN;
    END IF;
    SELECT * INTO last FROM coterie.renewal r WHERE r.name = p_name FOR UPDATE;
    IF last.next_at > this_moment THEN
        RETURN QUERY SELECT false, 'an attempt failed', extract(epoch FROM last.next_at - this_moment)::float8;
        RETURN;
    END IF;
    -- An attempt whose node dies is followed by another as if it had failed.
    INSERT INTO coterie.renewal AS r (name, node, token, begun_at, next_at) VALUES (p_name, p_node, p_token, this_moment, this_moment + p_retry)
    ON CONFLICT (name) DO UPDATE
    SET node = excluded.node, token = excluded.token, begun_at = excluded.begun_at, ended_at = NULL, version = NULL, next_at = excluded.next_at;
    INSERT INTO coterie.event (node, kind, subject, token, detail)
    VALUES (p_node, 'renewal.began', p_name, p_token, jsonb_build_object('version', active.version, 'not_after', active.not_after));
    RETURN QUERY SELECT true, '', 0::float8;
END $$;
COMMENT ON FUNCTION coterie.renewal_begin(text, bigint, bigint, text, interval, interval) IS
    'The holder of the renewal of a keystore asks whether the active certificate is to be renewed now, and begins an attempt if so; otherwise it hears why not, and when to ask again. CT001 when the lease is another''s.';
REVOKE ALL ON FUNCTION coterie.renewal_begin(text, bigint, bigint, text, interval, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.renewal_begin(text, bigint, bigint, text, interval, interval) TO coterie_agent;
